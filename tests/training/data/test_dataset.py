"""Stored images as batches: exact, and never copied into this process before they are needed."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.axes import to_tensor
from octa_kedro.results.stored import Stored
from octa_kedro.training.data.dataset import EyeDataset, ending_workers, gather, in_order, loader
from tests.training.conftest import store_items

CPU = torch.device("cpu")


def scan(seed: int = 0) -> Volume:
    array = np.random.default_rng(seed).random((6, 5, 4)).astype(np.float32)
    return Volume(array, np.eye(4), "OCTA", "OD", f"eye {seed}")


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Stored]:
    return store_items(tmp_path, {f"s{i}": scan(i) for i in range(5)})


def test_a_batch_holds_what_the_files_hold(stored):
    data = EyeDataset(stored, ["s3", "s1"], [1, 0])
    batch = gather([data[0], data[1]])
    assert batch.stored.dtype == torch.uint16
    assert batch.targets.tolist() == [1, 0]
    images = batch.images(CPU)
    assert images.shape == (2, 1, 4, 5, 6)
    for image, subject in zip(images, ("s3", "s1"), strict=True):
        torch.testing.assert_close(image, to_tensor(stored[subject]()), rtol=0, atol=1e-7)


def test_a_volume_is_mapped_and_not_copied(stored):
    array = EyeDataset(stored, ["s0"])[0].array
    assert not array.flags.owndata
    assert array.flags.c_contiguous
    base = array
    while not isinstance(base, np.memmap):
        base = base.base
    assert Path(base.filename) == stored["s0"].path


def test_planes_come_in_the_order_asked_for(tmp_path):
    array = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)
    stack = PlaneStack(array, np.eye(4), ("SVP", "DVP", "FULL"), "OD", "eye")
    stored = store_items(tmp_path, {"s0": stack})
    images = gather([EyeDataset(stored, ["s0"], slabs=("FULL", "SVP"))[0]]).images(CPU)
    torch.testing.assert_close(images[0], torch.from_numpy(array[..., [2, 0]].T.copy()), rtol=0, atol=1e-5)


def test_images_stored_as_floats_and_as_integers_share_a_batch(stored, tmp_path):
    path = tmp_path / "z.nii"
    array = np.random.default_rng(1).normal(size=(6, 5, 4)).astype(np.float32)
    write_nifti(path, array, np.eye(4))
    from octa_kedro.io.hashing import sha256_of

    mixed = stored | {"z": Stored(path, sha256_of(path), {"laterality": "OD", "source": "z", "modality": "OCTA"})}
    data = EyeDataset(mixed, ["s0", "z"])
    images = gather([data[0], data[1]]).images(CPU)
    torch.testing.assert_close(images[0], to_tensor(stored["s0"]()), rtol=0, atol=1e-6)
    torch.testing.assert_close(images[1, 0], torch.from_numpy(array.T.copy()))


def test_workers_read_the_same(stored):
    data = EyeDataset(stored, list(stored), [0, 1, 0, 1, 0])
    batches = [[4, 0], [1, 2, 3]]
    alone, helped = (list(loader(data, batches, workers=n)) for n in (0, 2))
    for one, two in zip(alone, helped, strict=True):
        assert torch.equal(one.images(CPU), two.images(CPU))
        assert torch.equal(one.targets, two.targets)


def test_prediction_goes_in_order():
    assert in_order(5, 2) == [[0, 1], [2, 3], [4]]


def test_processes_that_read_ahead_end_with_the_training(stored: dict[str, Stored]):
    before = {*multiprocessing.active_children()}  # other tests may have left a pool
    data = EyeDataset(stored, list(stored)[:3], [0, 1, 0])
    with ending_workers():
        reader = loader(data, [[0, 1], [2]], workers=1)
        first = [batch.targets.tolist() for batch in reader]
        assert {*multiprocessing.active_children()} - before
    assert not {*multiprocessing.active_children()} - before
    assert [batch.targets.tolist() for batch in reader] == first  # it can be used again
