"""The map of one eye over its raw scan, in the form that `results.recipe` asks for; apart from `making`, so that an
edit of the way back makes no map anew."""

from collections.abc import Sequence

from octa_kedro.preprocessing.restore import map_over_scan
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

OVER_SCAN = "map_over_scan"


def over_scan_parts(heat: Stored, image: Stored, flattening: Stored | None, _parts: Sequence[str]) -> dict[str, Result]:
    """A stored map on the voxels of the raw scan that its `image` was made of."""
    return {OVER_SCAN: Result(map_over_scan(heat, image, flattening))}
