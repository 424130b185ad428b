"""The map of one eye, on the processed grid and over its raw scan, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

from octa_kedro.explain.gradcam import Explainer, mean_map
from octa_kedro.preprocessing.restore import map_over_scan
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

MAP, OVER_SCAN = "map", "map_over_scan"


def map_parts(explainers: Sequence[Explainer], image: Stored, _parts: Sequence[str]) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye."""
    return {MAP: Result(mean_map(explainers, image()))}


def over_scan_parts(heat: Stored, image: Stored, flattening: Stored | None, _parts: Sequence[str]) -> dict[str, Result]:
    """A stored map on the voxels of the raw scan that its `image` was made of."""
    return {OVER_SCAN: Result(map_over_scan(heat, image, flattening))}
