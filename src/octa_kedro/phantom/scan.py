"""One scan of one subject's eye, made by all parts of the phantom together."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.io.octa500 import DEPTH_MM
from octa_kedro.io.volume import Laterality
from octa_kedro.phantom.anatomy import draw_anatomy
from octa_kedro.phantom.band import Band
from octa_kedro.phantom.config import FIELD_OF_MM, Disease, PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.eye_config import AnatomyConfig, SignalConfig
from octa_kedro.phantom.fields import Grid, stream
from octa_kedro.phantom.flow import draw_flow
from octa_kedro.phantom.lesions.draw import draw_lesions
from octa_kedro.phantom.lesions.paint import lesion_mask, paint_flow, paint_tissue
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.reflectivity import layer_brightness, render_oct
from octa_kedro.phantom.rendering import draw_transmission, render_octa
from octa_kedro.phantom.vessels import draw_vessels

Subject = int | Mapping[str, Any] | pd.Series
"""An ID, or a row of the cohort table."""

POOR_MOTION: dict[str, Any] = {
    "motion_lines": (6, 14),
    "saccades": (3, 7),
    "saccade_mm": (0.05, 0.25),
    "axial_um": (4.0, 10.0),
}
POOR_SIGNAL: dict[str, Any] = {"gain": 0.45, "oct_contrast": 0.6, "noise_floor": 1.6, "shading": 2.0}
"""Poor scans: settings that replace those of good scans, and factors that multiply them."""
POOR_TILT = 3.5
SACCADE_ROWS = (0.03, 0.15)
"""How long an eye looks aside, as a share of the duration of the scan."""


def make_eye(config: PhantomConfig, subject: Subject, *, with_lesion: bool = True) -> PhantomEye:
    """The eye of a subject, given by ID or as a row of `plan_cohort`'s table.

    The result depends on the arguments only: an ID is the same eye 3 mm and 6 mm wide and on any grid. With
    `with_lesion=False` it is the healthy twin: the same eye with the same noise, but without the disease.
    """
    row = _row(config, subject)
    number, side = int(row["ID"]), cast(Laterality, str(row["OS/OD"]))
    disease = cast(Disease, str(row["drawn"])) if with_lesion else "NORMAL"
    anatomy_config, signal = _by_quality(config, str(row["quality"]))

    def rng(part: str) -> np.random.Generator:
        return stream(config.seed, number, part)

    grid = _grid(config, float(row["fov_mm"]), rng("position"), signal)
    anatomy = draw_anatomy(rng("anatomy"), grid, anatomy_config)
    lesions = draw_lesions(
        rng("lesions"), grid, anatomy, disease=disease, severity=float(row["severity"]), config=config.lesions
    )
    vessels = draw_vessels(rng("vessels"), grid, anatomy, lesions, config.vessels)
    axial = rng("axial")
    jitter = axial.uniform(*signal.axial_um) * axial.standard_normal(grid.shape[1])
    surfaces = anatomy.surfaces_um - lesions.lift_um + jitter.astype(np.float32)
    band = Band(grid, surfaces)
    flow = draw_flow(band, vessels)
    mask = lesion_mask(band, lesions, flow.superficial, flow.deep, flow.choriocapillaris)
    paint_flow(band, lesions, flow.flow)
    brightness = layer_brightness(band)
    paint_tissue(band, lesions, brightness)
    media = draw_transmission(rng("media"), grid, signal)
    octa = render_octa(
        rng("octa"), band, flow.flow, vessels=vessels, brightness=brightness, transmission=media, config=signal
    )
    oct_scan = render_oct(rng("oct"), band, brightness, large=vessels.large, transmission=media, config=signal)
    # voxel i spans i to i + 1 steps, so index i, the centre of the voxel, lies at i + 1/2 steps
    depth = (surfaces / np.float32(grid.voxel_um[2]) - np.float32(0.5)).astype(np.float32)
    return PhantomEye(
        oct=_as_scanned(oct_scan, side, 0),
        octa=_as_scanned(octa, side, 0),
        surfaces=_as_scanned(depth, side, 1),
        lesion=_as_scanned(band.to_scan(mask, np.zeros(grid.shape, np.uint8)), side, 0),
        extent_mm=grid.extent_mm,
        laterality=side,
    )


def _row(config: PhantomConfig, subject: Subject) -> Mapping[str, Any]:
    """The subject's row; where it does not say, the scan is good and the disease has full severity."""
    if not isinstance(subject, int | np.integer):
        row = {str(column): value for column, value in subject.items()}
        drawn = row.get("drawn", row.get("Disease"))
        return {"drawn": drawn, "severity": 0.0 if drawn == "NORMAL" else 1.0, "quality": "good"} | row
    table = plan_cohort(config)
    found = table[table["ID"] == int(subject)]
    if found.empty:
        raise ConfigError(f"subject {subject} is not in the cohort; its lowest ID is {table['ID'].min()}")
    return _row(config, found.iloc[0])


def _by_quality(config: PhantomConfig, quality: str) -> tuple[AnatomyConfig, SignalConfig]:
    anatomy, signal = config.anatomy, config.signal
    if quality == "motion":
        return anatomy, signal.model_copy(update=POOR_MOTION)
    if quality == "low_signal":
        scaled = {name: tuple(factor * v for v in getattr(signal, name)) for name, factor in POOR_SIGNAL.items()}
        return anatomy, signal.model_copy(update=scaled)
    if quality == "tilt":
        low, high = (POOR_TILT * v for v in anatomy.tilt_um_per_mm)
        return anatomy.model_copy(update={"tilt_um_per_mm": (low, high)}), signal
    if quality != "good":
        raise ConfigError(f"quality: {quality} is not one of good, motion, low_signal, tilt")
    return anatomy, signal


def _grid(config: PhantomConfig, fov_mm: float, rng: np.random.Generator, signal: SignalConfig) -> Grid:
    if fov_mm not in FIELD_OF_MM:
        raise ConfigError(f"fov_mm: {fov_mm} is not one of {sorted(FIELD_OF_MM)}")
    fovea = rng.uniform(*config.anatomy.fovea_offset_mm, 2)
    shape = config.shapes[FIELD_OF_MM[fov_mm]]
    extent = (fov_mm, fov_mm, DEPTH_MM)
    return Grid(shape, extent, (float(fovea[0]), float(fovea[1])), _saccades(rng, shape[1], signal))


def _saccades(rng: np.random.Generator, scans: int, config: SignalConfig) -> NDArray[np.float64]:
    """How far (Y,) the eye had moved sideways, in millimetres, at each B-scan."""
    shift = np.zeros(scans)
    low, high = config.saccades
    for _ in range(int(rng.integers(low, high + 1))):
        start, rows = rng.random() * scans, rng.uniform(*SACCADE_ROWS) * scans
        aside = rng.uniform(*config.saccade_mm) * rng.choice([-1, 1])
        shift[int(start) : int(start + rows) + 1] += aside
    return shift


def _as_scanned(array: NDArray, side: Laterality, x_axis: int) -> NDArray:
    """`array` as the device records it: all eyes are drawn as right eyes, and left ones are mirrored here."""
    return np.ascontiguousarray(np.flip(array, x_axis) if side == "OS" else array)
