"""The animated sweep."""

import io

import numpy as np
import pytest
from PIL import Image

from octa_kedro.explain.sweep import CAPTION, WIDTH, sweep_gif
from octa_kedro.io.volume import Volume, scan_affine

SHAPE = (12, 5, 16)


def volume(array: np.ndarray) -> Volume:
    return Volume(array.astype(np.float32), scan_affine(SHAPE, (3.0, 3.0, 0.8)), "OCTA", "OD")


@pytest.fixture
def image() -> Volume:
    return volume(np.random.default_rng(0).random(SHAPE))


def test_every_b_scan_is_a_frame_to_scale(image: Volume):
    with Image.open(io.BytesIO(sweep_gif(image, image, 1.0, depth_stretch=2))) as gif:
        assert gif.n_frames == 5
        assert gif.size == (2 * WIDTH + 2, round(WIDTH * 0.8 / 3 * 2) + CAPTION)


def test_the_map_lies_on_its_own_b_scan(image: Volume):
    array = np.zeros(SHAPE)
    array[9, 3, 12] = 1
    with Image.open(io.BytesIO(sweep_gif(image, volume(array), 1.0))) as gif:
        coloured = []
        for frame in range(5):
            gif.seek(frame)
            page = np.asarray(gif.convert("RGB")).astype(int)[CAPTION:]
            coloured.append(np.argwhere(np.ptp(page, axis=2) > 60))
    assert [len(found) > 0 for found in coloured] == [False, False, False, True, False]
    y, x = coloured[3].mean(axis=0)
    height = round(WIDTH * 0.8 / 3 * 2)
    assert x == pytest.approx(WIDTH + 2 + 9.5 / 12 * WIDTH, abs=2)
    assert y == pytest.approx(12.5 / 16 * height, abs=2)


def test_the_same_eye_gives_the_same_bytes_and_a_lesion_others(image: Volume):
    mask = np.zeros(SHAPE)
    mask[2:5, :, 3:6] = 1
    assert sweep_gif(image, image, 1.0) == sweep_gif(image, image, 1.0)
    assert sweep_gif(image, image, 1.0, volume(mask)) != sweep_gif(image, image, 1.0)


def test_there_are_no_more_frames_than_asked_for(image: Volume):
    with Image.open(io.BytesIO(sweep_gif(image, image, 1.0, frames=3))) as gif:
        assert gif.n_frames == 3
