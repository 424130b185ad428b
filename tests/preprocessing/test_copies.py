"""Copies of one volume under two names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.preprocessing.copies import SAME, admit_images, find_copies
from octa_kedro.preprocessing.sketch import SKETCH, likeness, sketch_views
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored, write_result

SHAPE = (32, 32, 48)


def eye(seed: int) -> NDArray[np.float32]:
    """Blobs of several sizes on a depth profile that all eyes share."""
    rng = np.random.default_rng(seed)
    image = np.zeros(SHAPE)
    for cell in (8, 4, 2):
        coarse = rng.random([n // cell for n in SHAPE])
        image += np.kron(coarse, np.ones((cell,) * 3))
    return (image / 3 * np.hanning(SHAPE[2])).astype(np.float32)


def stored(folder: Path, **arrays: NDArray) -> dict[str, Stored]:
    found = {}
    for name, array in arrays.items():
        volume = Volume(np.clip(array, 0, 1), scan_affine(SHAPE, (3.0, 3.0, 0.8)), "OCTA", "OD", name)
        path = folder / f"{name}.nii"
        note = write_result(path, Result(volume, unit=True, facts={SKETCH: sketch_views(volume)}))
        found[name] = Stored(path, note["sha256"], note["meta"])
    return found


def noisy(array: NDArray) -> NDArray:
    return array + np.random.default_rng(9).normal(0, 0.05, array.shape)


@pytest.mark.parametrize(
    ("change", "exact"),
    [
        (lambda a: a, True),
        (lambda a: np.roll(a, (1, 0, 0), (0, 1, 2)), False),
        (lambda a: np.roll(a, (0, -1, 1), (0, 1, 2)), False),
        (lambda a: a[::-1], True),
        (lambda a: a[::-1, ::-1], True),
        (lambda a: 0.5 * a + 0.1, True),
        (noisy, False),
        (lambda a: np.round(a * 15) / 15, False),
    ],
    ids=["same", "moved along x", "moved along y and z", "mirrored", "turned", "darker", "noise", "four bits"],
)
def test_a_copy_is_found_and_no_other_eye(tmp_path: Path, change: Callable[[NDArray], NDArray], exact: bool):
    found = find_copies(stored(tmp_path, a=eye(1), b=eye(2), c=eye(3), copy=change(eye(1))))
    assert [(one.first, one.second) for one in found] == [("a", "copy")]
    if exact:
        assert found[0].correlation >= SAME


def test_the_same_volume_under_two_names_is_an_error_even_of_one_patient(tmp_path: Path):
    images = stored(tmp_path, a=eye(1), b=eye(2), twin=eye(1))
    splits = pd.DataFrame({"subject": ["a", "b", "twin"], "patient": ["p", "q", "p"]})
    with pytest.raises(DataError, match="subjects a and twin have the same volume"):
        admit_images(images, splits)


def test_near_copies_are_warned_of_but_not_the_eyes_of_one_patient(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    images = stored(tmp_path, a=eye(1), b=eye(2), near=noisy(eye(1)))
    splits = pd.DataFrame({"subject": ["a", "b", "near"], "patient": ["p", "q", "r"]})
    assert admit_images(images, splits).startswith("eyes a and near (correlation 0.9")
    assert "nearly the same image" in caplog.text
    assert admit_images(images, splits.assign(patient=["p", "q", "p"])) == ""


def test_volumes_without_a_sketch_are_compared_by_their_bytes(tmp_path: Path):
    images = stored(tmp_path, a=eye(1), twin=eye(1), near=noisy(eye(1)))
    bare = {name: Stored(one.path, one.sha256, {}) for name, one in images.items()}
    assert [(one.first, one.second) for one in find_copies(bare)] == [("a", "twin")]


def test_a_flat_image_is_like_none():
    flat = sketch_views(Volume(np.ones(SHAPE), np.eye(4), "OCTA", "OD", "flat"))
    assert likeness(flat, flat[:1]).tolist() == [0.0]
