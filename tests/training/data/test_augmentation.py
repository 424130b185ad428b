"""Each change does what its name says, to training images only."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.data.augmentation import Augmenter, rotate, shift
from octa_kedro.training.data.config import AugmentationConfig
from octa_kedro.training.engine.seeding import generator
from tests.training.test_training import PROCESSING, changed

OFF = {"flip": False, "brightness": 0.0}
ALL = {
    "shift": 0.2,
    "depth_shift": 0.3,
    "rotation": 20,
    "motion_lines": 3,
    "gamma": 0.5,
    "brightness": 0.3,
    "offset": 0.1,
    "noise": 0.05,
}


def augmenter(seed: int = 0, **values) -> Augmenter:
    return Augmenter(AugmentationConfig.model_validate(OFF | values), generator(seed, "x"))


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.rand(6, 1, 4, 10, 12, generator=torch.Generator().manual_seed(0))


def test_off_is_the_identity(batch: torch.Tensor):
    assert torch.equal(augmenter()(batch), batch)


@pytest.mark.parametrize("values", [ALL, *({name: value} for name, value in ALL.items())])
def test_the_seed_decides_and_the_batch_is_left_as_it_was(values: dict, batch: torch.Tensor):
    before = batch.clone()
    first, same, other = (augmenter(seed, **values)(batch) for seed in (0, 0, 1))
    assert torch.equal(batch, before)
    assert type(first) is torch.Tensor
    assert first.shape == batch.shape
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(first, batch)
    assert first.min() >= 0
    assert first.max() <= 1


def test_each_image_is_changed_by_itself(batch: torch.Tensor):
    other = batch.clone()
    other[3] = 0.5
    first, second = (augmenter(**ALL)(images) for images in (batch, other))
    assert torch.equal(first[[0, 1, 2, 4, 5]], second[[0, 1, 2, 4, 5]])


def test_planes_with_channels_are_augmented_too():
    planes = torch.rand(3, 2, 10, 12)
    changed_planes = augmenter(**ALL)(planes)
    assert changed_planes.shape == planes.shape
    same = torch.rand(1, 1, 10, 12).expand(3, 2, 10, 12)
    both = augmenter(**(ALL | {"noise": 0.0}))(same)
    # channels show one place: they move together, but for rounding, which depends on the processor
    torch.testing.assert_close(both[:, 0], both[:, 1], rtol=0, atol=1e-6)
    assert not torch.allclose(both, same, atol=0.1)


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({}, ([], [-1], [-2], [-1, -2])),
        ({"flip_y": False}, ([], [-1])),
        ({"flip_x": False}, ([], [-2])),
    ],
)
def test_flips_mirror_en_face_and_never_in_depth(values: dict, allowed: tuple, batch: torch.Tensor):
    batch = batch.repeat(4, 1, 1, 1, 1)
    flipped = augmenter(flip=True, **values)(batch)
    found = {
        next(i for i, axes in enumerate(allowed) if torch.equal(before.flip(axes), after))
        for before, after in zip(batch, flipped, strict=True)
    }
    assert found == set(range(len(allowed)))


def test_shift_moves_by_whole_voxels_and_mirrors_the_border():
    row = torch.arange(5.0).reshape(1, 1, 5)
    assert shift(row, -1, 2).flatten().tolist() == [2, 1, 0, 1, 2]
    assert shift(row, -1, -1).flatten().tolist() == [1, 2, 3, 4, 3]


def test_shifts_keep_grey_levels_and_depth_stays_without_its_own(batch: torch.Tensor):
    moved = augmenter(shift=0.2)(batch)
    assert set(np.unique(moved)) <= set(np.unique(batch))
    profile = torch.arange(4.0).reshape(1, 1, 4, 1, 1).expand(6, 1, 4, 10, 12) / 4
    assert torch.equal(augmenter(shift=0.4)(profile), profile)
    assert not torch.equal(augmenter(depth_shift=0.4)(profile), profile)


def test_rotation_turns_every_depth_alike_about_the_depth_axis():
    volume = torch.zeros(1, 3, 9, 9)
    volume[0, 1, 4, 7] = 1  # to the right of the middle, at depth 1
    turned = rotate(volume, 90)
    assert float(turned[0, 1, 7, 4]) == pytest.approx(1, abs=1e-5)
    assert turned[0, [0, 2]].abs().max() == 0
    disc = torch.zeros(1, 65, 65)
    y, x = np.mgrid[:65, :65] - 32
    disc[0][torch.from_numpy(np.hypot(x, y) < 20)] = 1
    assert (rotate(disc, 13) - disc).abs().mean() < 0.02


def test_rotation_stays_within_its_amplitude():
    line = torch.zeros(64, 1, 65, 65)
    line[..., 32, 33:] = 1
    turned = augmenter(rotation=10)(line)
    ends = turned[:, 0, :, 62].argmax(dim=1) - 32  # 30 columns from the middle
    assert ends.abs().max() <= round(30 * np.tan(np.radians(10))) == 5
    assert ends.min() < -2
    assert ends.max() > 2


def test_motion_lines_are_whole_b_scans_and_few():
    volume = torch.rand(64, 1, 5, 20, 16) * 0.5
    moved = augmenter(motion_lines=3, motion_gain=0.5, motion_shift=0.2)(volume)
    touched = (moved != volume).any(dim=4)  # (N, 1, depth, y)
    rows = touched.any(dim=2)[:, 0].sum(dim=1)
    assert rows.max() == 3
    assert rows.min() == 0
    # A B-scan moves at all its depths at once.
    assert torch.equal(touched.all(dim=2), touched.any(dim=2))


def test_a_motion_line_is_brightened_or_displaced():
    plane = (torch.arange(16.0) / 32).expand(200, 1, 8, 16)
    bright = augmenter(motion_lines=1, motion_gain=0.5, motion_shift=0.0)(plane)
    ratio = (bright / plane)[..., 1:]
    assert ratio.max() <= 1.5
    assert ratio.max() > 1.3
    assert ratio.min() >= 1 - 1e-6
    displaced = augmenter(motion_lines=1, motion_gain=0.0, motion_shift=0.25)(plane)
    assert set(np.unique(displaced)) == set(np.unique(plane))
    assert (displaced != plane).any(dim=3).sum(dim=2).max() == 1


def test_grey_levels_change_as_named():
    image = torch.full((200, 1, 2, 2), 0.5)
    image[..., 0, 0], image[..., 0, 1] = 0.0, 1.0
    middle = augmenter(gamma=1.0)(image)[:, 0, 1, 1]  # 0.5 to a power between 1/2 and 2
    assert 0.25 <= middle.min() < 0.3
    assert 0.65 < middle.max() <= 0.5**0.5 + 1e-6
    assert torch.equal(augmenter(gamma=1.0)(image)[:, 0, 0, 0], torch.zeros(200))
    factor = augmenter(brightness=0.2)(image)[:, 0, 1, 1] / 0.5
    assert 0.8 <= factor.min() < 0.82
    assert 1.18 < factor.max() <= 1.2
    added = augmenter(offset=0.2)(image)[:, 0, 1, 1] - 0.5
    assert -0.2 <= added.min() < -0.18
    assert 0.18 < added.max() <= 0.2
    noisy = augmenter(noise=0.1)(torch.full((1, 1, 100, 100), 0.5))
    assert float(noisy.std()) == pytest.approx(0.1, rel=0.05)
    assert float(noisy.mean()) == pytest.approx(0.5, abs=0.005)


def test_training_draws_what_it_drew_before_there_were_more_changes():
    # The order of the draws for flip, shift and brightness is part of what a seed means.
    stream = generator(0, "x")
    draws = [float(torch.rand((), generator=stream)) for _ in range(6)]
    image = torch.rand(1, 1, 4, 10, 10)
    axes = [axis for axis, draw in ((-1, draws[0]), (-2, draws[1])) if draw < 0.5]
    expected = image[0].flip(axes) if axes else image[0]
    for axis, share, draw in ((-1, 0.2, draws[2]), (-2, 0.2, draws[3]), (-3, 0.3, draws[4])):
        expected = shift(expected, axis, round((2 * draw - 1) * share * expected.shape[axis]))
    expected = (expected * (1 + 0.3 * (2 * draws[5] - 1))).clamp(0, 1)
    config = AugmentationConfig(flip=True, shift=0.2, depth_shift=0.3, brightness=0.3)
    assert torch.equal(Augmenter(config, generator(0, "x"))(image)[0], expected)


def test_validation_images_are_never_augmented(volumes, table, config, monkeypatch):
    shown = []

    def spy(_self: Augmenter, batch: torch.Tensor) -> torch.Tensor:
        shown.extend(float(image.sum()) for image in batch)
        return batch

    monkeypatch.setattr(Augmenter, "__call__", spy)
    fit_classifier(volumes, table, changed(config, max_epochs=1), PROCESSING)
    train = table.loc[table["role"] == "train", "subject"]
    sums = [float(torch.from_numpy(volumes[s]().array.transpose(2, 1, 0).copy()).sum()) for s in train]
    assert sorted(shown) == pytest.approx(sorted(sums), rel=1e-5)


@pytest.mark.parametrize("wrong", [{"rotation": 90}, {"noise": -1}, {"motion_line": 2}, {"flipx": True}])
def test_impossible_amplitudes_are_named(wrong: dict):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        AugmentationConfig(**wrong)
