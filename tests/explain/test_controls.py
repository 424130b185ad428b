"""Controls: what each of them finds, and that they know no network."""

import numpy as np
import pytest

from octa_kedro.explain.controls import CONTROLS, Eye, extruded
from octa_kedro.explain.localisation import check_map, peak_voxel
from octa_kedro.io.volume import PlaneStack, scan_affine
from tests.explain.eyes import AFFINE, SHAPE, flat_surfaces, volume


@pytest.fixture
def eye() -> Eye:
    """A bright voxel within the retina (voxels 4 to 11), a brighter one below it, and a 2D map."""
    image = np.zeros(SHAPE, np.float32)
    image[2, 3, 7], image[5, 1, 16] = 1, 5
    plane = np.zeros((*SHAPE[:2], 1), np.float32)
    plane[6, 2] = 1
    return Eye("a", volume(image), flat_surfaces(0.2, 0.4, 0.6), PlaneStack(plane, AFFINE, ("gradcam",)))


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_a_map_on_the_grid_of_the_eye(eye: Eye, name: str):
    heat = CONTROLS[name](eye)
    check_map(heat, name)
    assert heat.array.shape == SHAPE
    assert heat.array.dtype == np.float32
    assert heat.array.max() > heat.array.min()
    assert np.array_equal(heat.affine, AFFINE)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("centre prior", (4, 3, 10)),
        ("brightness", (2, 3, 7)),
        ("brightness, smoothed", (2, 3, 7)),
        ("2D map, extruded", (6, 2, 7)),  # of the retina's column, voxels 4 to 11, one of the two middle ones
    ],
)
def test_where_controls_peak(eye: Eye, name: str, peak: tuple[int, int, int]):
    heat = CONTROLS[name](eye)
    assert peak_voxel(heat.array, heat.spacing) == peak


def test_edges_peak_beside_the_bright_voxel(eye: Eye):
    x, y, z = peak_voxel(CONTROLS["edges"](eye).array)
    assert (x, y) == (2, 3)
    assert abs(z - 7) == 1


def test_brightness_has_no_negative_values_for_a_standardised_image(eye: Eye):
    moved = Eye("a", volume(eye.image.array - 3), eye.surfaces)
    heat = CONTROLS["brightness"](moved)
    assert heat.array.min() == 0
    assert peak_voxel(heat.array) == (2, 3, 7)


def test_without_surfaces_controls_search_the_whole_grid(eye: Eye):
    assert peak_voxel(CONTROLS["brightness"](Eye("a", eye.image)).array) == (5, 1, 16)


def test_the_random_map_is_drawn_by_subject(eye: Eye):
    random = CONTROLS["random"]
    again, other = random(Eye("a", eye.image)), random(Eye("b", eye.image))
    assert np.array_equal(random(eye).array, again.array)
    assert not np.array_equal(again.array, other.array)


def test_without_a_2d_map_there_is_nothing_to_extrude(eye: Eye):
    assert extruded(Eye("a", eye.image, eye.surfaces)) is None


def test_a_2d_map_of_another_grid_lies_where_its_affine_says(eye: Eye):
    fine = np.zeros((16, 12, 1), np.float32)
    fine[12:14, 4:6] = 1  # the same place on voxels half as wide
    plane = PlaneStack(fine, scan_affine((16, 12, 20), (3.0, 3.0, 1.0)), ("gradcam",))
    heat = extruded(Eye("a", eye.image, eye.surfaces, plane))
    assert np.argwhere(heat.array.any(axis=2)).tolist() == [[6, 2]]
