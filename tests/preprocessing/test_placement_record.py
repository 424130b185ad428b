"""The stored record of where an eye was placed: nothing is lost, and nothing wrong is taken."""

import json
from typing import Any

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.preprocessing.geometry import Grid
from octa_kedro.preprocessing.placement import Placement
from octa_kedro.preprocessing.placement_record import PlacementRecord, record_placement
from octa_kedro.preprocessing.transform import Displacement, Transform

SCAN = Volume(np.zeros((5, 4, 6), np.uint8), scan_affine((5, 4, 6), (3.0, 3.0, 2.0)), "OCTA", "OS", "eye 1")
GRID = Grid((3, 4, 5), (0.1, 0.2, 1 / 3), (1.0, 1.1, 0.7))


def record(**changes: Any) -> dict[str, Any]:
    shifts = np.random.default_rng(0).normal(0, 0.01, (2, 3, 2, 3))
    bending = Displacement(shifts, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    flatten = np.full((3, 4), 0.1, np.float32)
    placement = Placement(GRID, Transform(displacement=bending), flatten, sampling_mm=0.015)
    return record_placement(SCAN, placement, mirrored=True).to_json() | changes


def test_a_record_survives_json_digit_by_digit():
    given = record()
    again = PlacementRecord.from_json(json.loads(json.dumps(given)), who="eye 1")
    assert again.to_json() == given
    assert again.grid == GRID
    np.testing.assert_array_equal(again.scan_affine, SCAN.affine)
    assert (again.mirrored, again.sampling_mm) == (True, 0.015)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version"),
        ({"scan_shape": [5, 4]}, "scan_shape"),
        ({"scan_shape": [5, 4, 0]}, "scan_shape"),
        ({"scan_affine": [[1, 2], [3, 4]]}, "scan_affine: is not a 4 x 4 affine"),
        ({"scan_affine": np.diag([1, 1, np.nan, 1]).tolist()}, "scan_affine"),
        ({"scan_affine": np.diag([1.0, -1, 1, 1]).tolist()}, "axes are not along the world's"),
        ({"laterality": "left"}, "laterality"),
        ({"laterality": "OD"}, "laterality OD is never mirrored"),
        ({"mirrored": "yes"}, "mirrored"),
        ({"grid_extent_mm": [1, 1, -1]}, "grid_extent_mm"),
        ({"grid_origin_mm": [1, 1, float("inf")]}, "grid_origin_mm"),
        ({"transform": {"matrix": [1]}}, "not a stored transform"),
        ({"sampling_mm": 0}, "sampling_mm"),
        ({"flatten_sha256": "abc"}, "flatten_sha256"),
        ({"mirored": True}, "mirored: unknown parameter, did you mean mirrored"),
    ],
)
def test_a_damaged_record_is_refused_by_name(changes: dict[str, Any], words: str):
    with pytest.raises(DataError, match=rf"eye 1: .*{words}"):
        PlacementRecord.from_json(record(**changes), who="eye 1")


@pytest.mark.parametrize("field", sorted(PlacementRecord.model_fields.keys() - {"version", "scan_to_world"}))
def test_a_record_with_a_hole_is_refused(field: str):
    holed = record()
    del holed[field]
    with pytest.raises(DataError, match=field):
        PlacementRecord.from_json(holed, who="eye 1")
