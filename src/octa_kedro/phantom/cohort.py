"""Who is in the cohort, and each subject's eye."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.io.release import DEPTH_MM
from octa_kedro.io.volume import Laterality
from octa_kedro.phantom.anatomy import draw_anatomy
from octa_kedro.phantom.band import Band
from octa_kedro.phantom.config import FIELD_MM, FIRST_ID, Disease, FieldOfView, PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.fields import Grid, stream
from octa_kedro.phantom.lesions import draw_lesions
from octa_kedro.phantom.reflectivity import layer_brightness, render_oct
from octa_kedro.phantom.rendering import draw_flow, render_octa
from octa_kedro.phantom.vessels import draw_vessels

Subject = int | Mapping[str, Any] | pd.Series
"""An ID, or a row of the cohort table."""
COLUMNS = ("ID", "Sex", "OS/OD", "Age", "Disease", "fov_mm")


def plan_cohort(config: PhantomConfig) -> pd.DataFrame:
    """Subject table with the columns `COLUMNS`, ordered by ID.

    Field of view, sex, side and age are spread alike over every disease, so that none of them tells it.
    """
    rng = np.random.default_rng(np.random.SeedSequence([config.seed]))
    parts = [_plan_disease(rng, disease, count, config) for disease, count in config.subjects.items()]
    table = pd.concat(parts, ignore_index=True)
    table = table.iloc[rng.permutation(len(table))].reset_index(drop=True)
    for name, first in FIRST_ID.items():
        chosen = table["fov_mm"] == FIELD_MM[name]
        table.loc[chosen, "ID"] = first + np.arange(int(chosen.sum()))
    table["ID"] = table["ID"].astype(int)
    return table.sort_values("ID", ignore_index=True)[list(COLUMNS)]


def make_eye(config: PhantomConfig, subject: Subject, *, with_lesion: bool = True) -> PhantomEye:
    """The eye of a subject, given by ID or as a row of `plan_cohort`'s table.

    Depends on nothing but the arguments. `with_lesion=False` gives the same eye, down to its noise, healthy.
    """
    row = _row(config, subject)
    number, side = int(row["ID"]), cast(Laterality, str(row["OS/OD"]))
    disease = cast(Disease, str(row["Disease"])) if with_lesion else "NORMAL"

    def rng(part: str) -> np.random.Generator:
        return stream(config.seed, number, part)

    grid = _grid(config, float(row["fov_mm"]), rng("position"))
    anatomy = draw_anatomy(rng("anatomy"), grid, config.anatomy)
    lesions = draw_lesions(rng("lesions"), grid, anatomy.faz_radius_mm, disease, config.lesions)
    vessels = draw_vessels(rng("vessels"), grid, anatomy, lesions.kept, config.vessels)
    surfaces = anatomy.surfaces_um.copy()
    if lesions.tangle is not None:
        surfaces[3:5] -= lesions.tangle.lift_um
    band = Band(grid, surfaces)
    brightness = layer_brightness(band)
    flow = draw_flow(band, vessels, lesions)
    octa = render_octa(rng("octa"), band, flow.flow, vessels=vessels, brightness=brightness, config=config.signal)
    oct_scan = render_oct(
        rng("oct"), band, brightness, large=vessels.large, membrane=flow.membrane, config=config.signal
    )
    lesion = band.to_scan(flow.lesion.astype(np.uint8), np.zeros(grid.shape, np.uint8))
    # voxel i spans i to i + 1 steps, so its centre, the index i, lies at i + 1/2
    depth = (surfaces / np.float32(grid.voxel_um[2]) - np.float32(0.5)).astype(np.float32)
    return PhantomEye(
        oct=_seen(oct_scan, side, 0),
        octa=_seen(octa, side, 0),
        surfaces=_seen(depth, side, 1),
        lesion=_seen(lesion, side, 0),
        extent_mm=grid.extent_mm,
        laterality=side,
    )


def _plan_disease(rng: np.random.Generator, disease: Disease, count: int, config: PhantomConfig) -> pd.DataFrame:
    # the remainder of an odd split falls either way
    wide = int(np.floor(count * config.share_6mm + rng.random()))
    low, high = config.ages
    ages = low + (high - low) * (rng.permutation(count) + rng.random(count)) / count
    return pd.DataFrame(
        {
            "ID": 0,
            "Sex": _alternate(rng, count, ("F", "M")),
            "OS/OD": _alternate(rng, count, ("OD", "OS")),
            "Age": np.floor(ages).astype(int),
            "Disease": disease,
            "fov_mm": np.where(rng.permutation(count) < wide, FIELD_MM["6mm"], FIELD_MM["3mm"]),
        }
    )


def _alternate(rng: np.random.Generator, count: int, words: tuple[str, str]) -> NDArray[np.str_]:
    """`count` words in random order, as many of the one as of the other."""
    return np.asarray(words)[rng.permutation(np.arange(count) + rng.integers(2)) % 2]


def _row(config: PhantomConfig, subject: Subject) -> Mapping[str, Any] | pd.Series:
    if not isinstance(subject, int | np.integer):
        return subject
    table = plan_cohort(config)
    found = table[table["ID"] == int(subject)]
    if found.empty:
        raise ConfigError(f"subject {subject} is not in the cohort; its IDs run from {table['ID'].min()}")
    return found.iloc[0]


def _grid(config: PhantomConfig, fov_mm: float, rng: np.random.Generator) -> Grid:
    names: dict[float, FieldOfView] = {width: name for name, width in FIELD_MM.items()}
    if fov_mm not in names:
        raise ConfigError(f"fov_mm: {fov_mm} is not one of {sorted(names)}")
    shift = rng.uniform(*config.anatomy.fovea_offset_mm, 2)
    extent = (fov_mm, fov_mm, DEPTH_MM)
    return Grid(config.shapes[names[fov_mm]], extent, (float(shift[0]), float(shift[1])))


def _seen(array: NDArray, side: Laterality, x_axis: int) -> NDArray:
    """Anatomy is drawn as a right eye; a left one is its mirror image."""
    return np.ascontiguousarray(np.flip(array, x_axis) if side == "OS" else array)
