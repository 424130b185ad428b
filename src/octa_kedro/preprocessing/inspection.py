"""The first look at an eye: its retina found, its orientation checked, its quality measured."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.orientation import require_oriented
from octa_kedro.preprocessing.processed_as import QUALITY
from octa_kedro.preprocessing.projection import project
from octa_kedro.preprocessing.quality import MEASURES, Thumbnail, judge_table, measure_quality, thumbnail
from octa_kedro.preprocessing.quality_config import QualityConfig
from octa_kedro.preprocessing.retina import estimate_surfaces
from octa_kedro.preprocessing.slabs import slab_edges
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

SURFACES, THUMBNAIL = INSPECTED = ("surfaces", "thumbnail")
SUPPLIED_MAP, ITS_SLAB = "OCTA(ILM_OPL)", "ILM_OPL"
"""The en-face map that is compared with the volume, where the source has one."""
PLANES = ("enface", "bscan", "lines")


def inspect_eye(source: Source, subject: str, modalities: Sequence[str], parts: Sequence[str]) -> dict[str, Result]:
    """The eye's surfaces (supplied, or found in its OCT volume) with its quality measures as facts, and its thumbnail.

    `modalities` are the volumes the eye has. Without an OCT volume nothing can be measured, and surfaces must be
    supplied. DataError names an eye whose scans are unusable, whose maps lie otherwise than its volume, or that
    shows no retina.
    """
    volumes = {name: source.volume(subject, name) for name in modalities}
    oct_volume, octa = volumes.get("OCT"), volumes.get("OCTA")
    surfaces = source.surfaces(subject)
    if surfaces is None and oct_volume is None:
        raise DataError(
            f"eye {subject}: no surfaces are supplied and there is no OCT volume to find them in; add OCT to "
            "cohort.modalities, or set processing.depth_mm to null and processing.slabs to []"
        )
    if surfaces is None and oct_volume is not None:
        surfaces = estimate_surfaces(oct_volume)
    assert surfaces is not None
    if octa is not None:
        _check_orientation(source, subject, octa, surfaces)
    if oct_volume is None:
        return {SURFACES: Result(surfaces, facts={QUALITY: {}})}
    made = {SURFACES: Result(surfaces, facts={QUALITY: measure_quality(oct_volume, octa, surfaces)})}
    if THUMBNAIL in parts:
        made[THUMBNAIL] = _packed(thumbnail(oct_volume, octa, surfaces), surfaces)
    return made


def tabulate_quality(surfaces: Mapping[str, Stored], config: QualityConfig) -> pd.DataFrame:
    """One row per inspected eye: subject, the measures `quality.MEASURES`, and the reasons for which it is not good
    enough (empty for one that is)."""
    rows = [{"subject": subject, **stored.meta[QUALITY]} for subject, stored in surfaces.items()]
    table = pd.DataFrame(rows, columns=None if rows else ["subject", *MEASURES])
    return table.assign(reasons=judge_table(table, config))


def _check_orientation(source: Source, subject: str, octa: Volume, surfaces: PlaneStack) -> None:
    supplied = source.projection(subject, SUPPLIED_MAP)
    if supplied is None:
        return
    top, bottom = ((edge - octa.grid_affine[2, 3]) / octa.spacing[2] for edge in slab_edges(surfaces, ITS_SLAB))
    require_oriented(project(octa.array, top, bottom), supplied, what=f"eye {subject}, map {SUPPLIED_MAP}")


def _packed(picture: Thumbnail, surfaces: PlaneStack) -> Result:
    """The thumbnail as planes of one size, with what is needed to cut them back."""
    planes = (picture.enface, picture.bscan, picture.surfaces)
    size = np.max([plane.shape for plane in planes], axis=0)
    packed = np.zeros((*size, len(PLANES)), np.float32)
    for number, plane in enumerate(planes):
        packed[: plane.shape[0], : plane.shape[1], number] = plane
    facts = {"shapes": [list(plane.shape) for plane in planes], "extent_mm": list(picture.extent_mm)}
    return Result(PlaneStack(packed, np.eye(4), PLANES, surfaces.laterality, surfaces.source), facts=facts)


def read_thumbnail(stored: Stored) -> Thumbnail:
    """The thumbnail that `inspect_eye` made."""
    planes, meta = stored(), stored.meta
    enface, bscan, lines = (
        planes.plane(name)[: shape[0], : shape[1]] for name, shape in zip(PLANES, meta["shapes"], strict=True)
    )
    x, y, z = meta["extent_mm"]
    return Thumbnail(enface, bscan, lines, (x, y, z))
