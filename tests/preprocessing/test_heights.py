"""How deep slabs reach, by hand."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import PlaneStack, scan_affine
from octa_kedro.preprocessing.heights import HEIGHT_COLUMNS, describe_misfits, misfits
from octa_kedro.preprocessing.heights import tabulate_heights as tabulate

AFFINE = scan_affine((30, 20, 200), (3.0, 3.0, 2.0))  # 0.01 mm of depth a voxel


def tabulate_heights(eyes: dict[str, PlaneStack], *how: str, **config: Any) -> pd.DataFrame:
    """Of surfaces that are in memory."""
    return tabulate({name: partial(replace, planes) for name, planes in eyes.items()}, *how, **config)


def eye(ilm: float, bm: float) -> PlaneStack:
    planes = [np.full((30, 20), depth) for depth in (ilm, bm)]
    return PlaneStack(np.stack(planes, axis=2), AFFINE, ("ILM", "BM"), source="eye")


def with_depths(surfaces: PlaneStack, where: tuple, ilm: float, bm: float) -> PlaneStack:
    array = surfaces.array.copy()
    array[where] = (ilm, bm)
    return replace(surfaces, array=array)


def test_a_flat_eye_by_hand():
    table = tabulate_heights({"a": eye(0.605, 0.905)}, depth_mm=0.4)
    assert tuple(table.columns) == HEIGHT_COLUMNS
    row = table.iloc[0]
    assert (row["subject"], row["fits"]) == ("a", True)
    assert [row["first_mm"], row["last_mm"], row["centre_mm"], row["needed_mm"]] == pytest.approx(
        [0.605, 0.905, 0.755, 0.3]
    )
    voxels = [row["first_voxel"], row["last_voxel"], row["centre_voxel"], row["needed_voxels"]]
    assert voxels == pytest.approx([60, 90, 75, 30])


def test_a_dome_needs_twice_its_longer_half():
    # a tenth of the field reaches 0.2 mm higher; the median centre stays
    domed = with_depths(eye(0.6, 0.9), (slice(0, 3),), 0.4, 0.9)
    row = tabulate_heights({"a": domed}).iloc[0]
    assert (row["centre_mm"], row["first_mm"], row["needed_mm"]) == pytest.approx((0.75, 0.4, 0.7))


def test_single_ascans_do_not_count():
    spiked = with_depths(eye(0.6, 0.9), (0, slice(0, 3)), 0.1, 1.9)  # 3 of 600
    assert tabulate_heights({"a": spiked})["needed_mm"].tolist() == pytest.approx([0.3])


def test_only_the_field_that_is_kept_counts():
    rim = with_depths(eye(0.6, 0.9), (slice(0, 8),), 0.2, 0.9)
    whole, middle = tabulate_heights({"a": rim}), tabulate_heights({"a": rim}, field_mm=(1.4, 1.4))
    assert whole["first_mm"].tolist() == pytest.approx([0.2])
    assert middle["first_mm"].tolist() == pytest.approx([0.6])


def test_eyes_that_do_not_fit_are_listed():
    eyes = {"a": eye(0.6, 0.9), "b": eye(0.5, 1.0), "c": eye(0.4, 1.1)}
    table = tabulate_heights(eyes, depth_mm=0.45)
    assert table["fits"].tolist() == [True, False, False]
    assert misfits(table) == ["b", "c"]
    text = describe_misfits(table, 0.45)
    assert text.startswith("2 of 3 eyes reach beyond the 0.45 mm of depth that are kept: b, c; 0.70 mm")
    assert describe_misfits(tabulate_heights(eyes, depth_mm=0.8), 0.8) == ""
    assert misfits(tabulate_heights(eyes)) == []


def test_no_eyes_make_an_empty_table():
    assert tuple(tabulate_heights({}).columns) == HEIGHT_COLUMNS
    assert misfits(tabulate_heights({})) == []


def test_a_slab_without_surfaces_has_no_height():
    with pytest.raises(ConfigError, match="FULL has no height"):
        tabulate_heights({"a": eye(0.6, 0.9)}, "FULL")


def test_gaps_in_surfaces_name_the_subject():
    with pytest.raises(DataError, match="subject a: slab ILM_BM"):
        tabulate_heights({"a": with_depths(eye(0.6, 0.9), (0, 0), np.nan, 0.9)})
