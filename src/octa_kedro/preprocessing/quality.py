"""How good a scan is: measures with their units, and limits beyond which an eye is left out.

Measured on the scan as the device left it, before anything is cropped or scaled. The measures look at optics, movement
and placing; they are built to say nothing of disease, which must not be what is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.fovea import find_pit, places_mm
from octa_kedro.preprocessing.geometry import apply_weights, axis_weights
from octa_kedro.preprocessing.motion import axial_jitter_um, motion_line_share, saccade_share
from octa_kedro.preprocessing.projection import project
from octa_kedro.preprocessing.quality_config import QualityConfig

MEASURES = (
    "signal_db", "flow_contrast_grey", "motion_line_share", "axial_jitter_um", "saccade_share", "tilt_deg",
    "curvature_um_per_mm2", "foveal_pit_um", "decentration_mm", "cut_off_share", "saturated_share", "dark_share",
)  # fmt: skip
UNITS = {"_um_per_mm2": " um/mm2", "_deg": " deg", "_db": " dB", "_um": " um", "_mm": " mm", "_grey": " grey levels"}
COLUMNS = 32  # A-scans along each axis that are looked at where all would be slow
ABOVE_ILM_MM = 0.06  # what lies nearer than this above the ILM does not count as vitreous
SMOOTH_MM = 0.08
BORDER_MM = 0.02
DARK = 0.5  # of the scan's median signal
THUMBNAIL = 128
ROOM_MM = 0.15  # shown above and below the retina


@dataclass(frozen=True)
class Thumbnail:
    """Small pictures of one eye in its own grey levels, for `evaluation.contact_sheet`.

    `enface` ``[x, y]`` is the inner retina's OCTA (or OCT) map, `bscan` ``[x, z]`` the middle B-scan round the
    retina and `surfaces` ``(n, x)`` the depths of its surfaces in pixels; `extent_mm` (x, y, z) is shown.
    """

    enface: NDArray[np.float32]
    bscan: NDArray[np.float32]
    surfaces: NDArray[np.float32]
    extent_mm: tuple[float, float, float]


def measure_quality(oct_volume: Volume, octa: Volume | None, surfaces: PlaneStack) -> dict[str, float]:
    """The measures MEASURES of one eye; NaN where one cannot be taken.

    Surfaces ILM and BM are needed, OPL_ONL is used where there is one. `signal_db`: 20 log10 of the retina's grey level
    above the vitreous over the latter's deviation. `flow_contrast_grey`: upper quartile of the inner retina's OCTA map
    above the vitreous. `motion_line_share`: of B-scans that stand out of their neighbours in that map (in the
    OCT map without an OCTA). `axial_jitter_um`: deviation of a B-scan's depth from between its neighbours.
    `saccade_share`: of B-scans after which the maps go on sideways. `tilt_deg`, `curvature_um_per_mm2` (edges
    higher: positive): of BM. `foveal_pit_um`: the inner retina's deepest dip against its surroundings;
    `decentration_mm`: of that dip from the scan's centre, NaN where the dip is below 20 um (no pit found).
    `cut_off_share`: of A-scans whose retina touches the scan's border or is unknown. `saturated_share`: of the
    retina's voxels at the highest integer. `dark_share`: of the field with less than half the median OCT signal.
    """
    _require_same_plane(oct_volume, octa, surfaces)
    ilm, bm = _index(oct_volume, surfaces, "ILM"), _index(oct_volume, surfaces, "BM")
    middle = _middle(oct_volume, surfaces)
    retina = project(oct_volume.array, ilm, bm)
    map_ = retina if octa is None else project(octa.array, ilm, middle)
    vitreous, noise = _vitreous(oct_volume, ilm)
    signal = float(np.median(retina)) - vitreous
    flow = np.nan if octa is None else float(np.percentile(map_, 75)) - np.nan_to_num(_vitreous(octa, ilm)[0])
    pit = find_pit((middle - ilm) * oct_volume.spacing[2], oct_volume.spacing[:2])
    tilt, curvature = _shape(bm * oct_volume.spacing[2], oct_volume)
    values = (
        20 * np.log10(max(signal, 1e-6) / noise),
        flow,
        motion_line_share(map_),
        axial_jitter_um(oct_volume, ilm, bm),
        saccade_share(map_, oct_volume),
        tilt,
        curvature,
        pit.depth_um,
        pit.decentration_mm if pit.found else np.nan,
        _cut_off(oct_volume, ilm, bm),
        _saturated(oct_volume, ilm, bm),
        _dark(retina - vitreous, oct_volume),
    )
    return dict(zip(MEASURES, map(float, values), strict=True))


def judge_quality(measures: Mapping[str, float], config: QualityConfig) -> list[str]:
    """Why an eye with these measures is left out, such as "tilt 14.2 deg > 12"; nothing if it may stay.

    What could not be measured (NaN) leaves no eye out.
    """
    reasons = []
    for key, limit in config.model_dump().items():
        bound, _, name = key.partition("_")
        if limit is None:
            continue
        if name not in measures:
            raise ConfigError(f"quality.{key}: the table has no measure {name}; measure again or set it to null")
        value, sign = float(measures[name]), "<" if bound == "min" else ">"
        if value < limit if bound == "min" else value > limit:
            suffix = next((suffix for suffix in UNITS if name.endswith(suffix)), "")
            words = name.removesuffix(suffix).replace("_", " ")
            reasons.append(f"{words} {value:.3g}{UNITS.get(suffix, '')} {sign} {limit:g}")
    return reasons


def judge_table(table: pd.DataFrame, config: QualityConfig) -> pd.Series:
    """The reasons of each row of measures as one text, empty for an eye that may stay."""
    rows = table.to_dict("records")
    texts = ["; ".join(judge_quality({str(k): v for k, v in row.items()}, config)) for row in rows]
    return pd.Series(texts, index=table.index, name="reasons", dtype=object)


def thumbnail(oct_volume: Volume, octa: Volume | None, surfaces: PlaneStack, *, size: int = THUMBNAIL) -> Thumbnail:
    """Pictures of at most `size` pixels each way."""
    _require_same_plane(oct_volume, octa, surfaces)
    ilm, middle = _index(oct_volume, surfaces, "ILM"), _middle(oct_volume, surfaces)
    shown = oct_volume if octa is None else octa
    row, spacing, depth = oct_volume.array.shape[1] // 2, oct_volume.spacing[2], oct_volume.array.shape[2]
    lines = np.stack([_index(oct_volume, surfaces, name)[:, row] for name in surfaces.names])
    known = lines if np.isfinite(lines).any() else np.array([0, depth])
    begin = int(np.clip(np.nanmin(known) - ROOM_MM / spacing, 0, depth - 1))
    end = int(np.clip(np.nanmax(known) + ROOM_MM / spacing, begin + 1, depth))
    bscan = _shrink(np.asarray(oct_volume.array[:, row, begin:end], np.float32), size)
    columns = ((np.arange(len(bscan)) + 0.5) * lines.shape[1] / len(bscan)).astype(int)
    pixels = (lines[:, columns] + 0.5 - begin) * bscan.shape[1] / (end - begin) - 0.5
    width, height, _ = oct_volume.extent_mm
    enface = _shrink(project(shown.array, ilm, middle), size)
    return Thumbnail(enface, bscan, pixels.astype(np.float32), (width, height, (end - begin) * spacing))


def _shrink(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    weights: list[NDArray] = [axis_weights(n, np.linspace(0, n, min(n, size) + 1)) for n in plane.shape]
    return apply_weights(plane, weights).astype(np.float32)


def _require_same_plane(oct_volume: Volume, octa: Volume | None, surfaces: PlaneStack) -> None:
    shapes = {"surfaces": surfaces.array.shape[:2]} | ({} if octa is None else {"OCTA": octa.array.shape})
    for name, shape in shapes.items():
        if shape != oct_volume.array.shape[: len(shape)]:
            raise DataError(f"{oct_volume.source}: {name} of shape {shape}, but the OCT has {oct_volume.array.shape}")
    for name in ("ILM", "BM"):
        if name not in surfaces.names or not np.isfinite(surfaces.plane(name)).any():
            raise DataError(f"{oct_volume.source}: quality needs the surface {name}, which is missing; estimate it")


def _index(volume: Volume, surfaces: PlaneStack, name: str) -> NDArray:
    return (surfaces.plane(name) - volume.grid_affine[2, 3]) / volume.spacing[2]


def _middle(volume: Volume, surfaces: PlaneStack) -> NDArray:
    """Where the inner retina ends."""
    if "OPL_ONL" in surfaces.names:
        return _index(volume, surfaces, "OPL_ONL")
    return (_index(volume, surfaces, "ILM") + _index(volume, surfaces, "BM")) / 2


def _smooth(plane: NDArray, volume: Volume, deviation_mm: float) -> NDArray:
    deviation = [deviation_mm / spacing for spacing in volume.spacing[:2]]
    return gaussian_filter(plane, deviation, mode="nearest")


def _vitreous(volume: Volume, ilm: NDArray) -> tuple[float, float]:
    """Mean and deviation of grey levels above the retina; NaN where there are too few."""
    pick = tuple(slice(None, None, max(1, n // COLUMNS)) for n in ilm.shape)
    above = np.nan_to_num(ilm[pick]) - ABOVE_ILM_MM / volume.spacing[2]
    depth = max(int(above.max()), 0)
    grey = np.asarray(volume.array[pick][..., :depth])
    grey = grey[np.arange(depth) < above[..., None]].astype(float)
    return (float(grey.mean()), max(float(grey.std()), 1e-6)) if grey.size > COLUMNS else (np.nan, np.nan)


def _shape(bm_mm: NDArray, volume: Volume) -> tuple[float, float]:
    """Tilt in degrees and curvature in um/mm2 of a paraboloid through BM; of the bowl's middle, not of its rim."""
    x, y = (plane.ravel() for plane in places_mm(volume.array.shape, volume.spacing[:2]))
    known = np.isfinite(bm_mm).ravel()
    if known.sum() < 10:
        return np.nan, np.nan
    design = np.stack([x, y, x**2 + y**2, np.ones_like(x)], axis=1)[known]
    along_x, along_y, bowl, _ = np.linalg.lstsq(design, bm_mm.ravel()[known], rcond=None)[0]
    return float(np.degrees(np.arctan(np.hypot(along_x, along_y)))), float(-1000 * bowl)


def _cut_off(volume: Volume, ilm: NDArray, bm: NDArray) -> float:
    margin, depth = BORDER_MM / volume.spacing[2], volume.array.shape[2]
    inside = (ilm >= margin) & (bm <= depth - 1 - margin)  # False where unknown
    return float(1 - inside.mean())


def _saturated(volume: Volume, ilm: NDArray, bm: NDArray) -> float:
    if volume.array.dtype.kind not in "iu":
        return np.nan
    pick = tuple(slice(None, None, max(1, n // COLUMNS)) for n in ilm.shape)
    grey, z = np.asarray(volume.array[pick]), np.arange(volume.array.shape[2])
    retina = grey[(z >= ilm[pick][..., None]) & (z < bm[pick][..., None])]
    return float((retina == np.iinfo(grey.dtype).max).mean()) if retina.size else np.nan


def _dark(signal: NDArray, volume: Volume) -> float:
    smooth = _smooth(signal, volume, SMOOTH_MM)
    if not np.isfinite(smooth).all():
        return np.nan
    return float((smooth < DARK * np.median(smooth)).mean())


def reasons_in(quality: pd.DataFrame) -> dict[str, str]:
    """Why eyes are left out, by subject, from a table with the columns subject and reasons; a CSV file has turned
    empty text into NaN."""
    texts = zip(quality["subject"].astype(str), quality["reasons"], strict=True)
    return {subject: text for subject, text in texts if isinstance(text, str) and text}
