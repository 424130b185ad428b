"""What the pictures of maps show."""

import numpy as np
import pytest

from octa_kedro.explain.overlay import plane_figure, volume_figure
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine

AFFINE = scan_affine((12, 10, 16), (3.0, 3.0, 0.8))


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


@pytest.fixture
def image() -> Volume:
    return Volume(np.random.default_rng(0).random((12, 10, 16)).astype(np.float32), AFFINE, "OCTA")


@pytest.fixture
def heat(image: Volume) -> Volume:
    array = np.zeros(image.array.shape, np.float32)
    array[7, 2, 9] = 2.0
    return image.with_array(array)


def test_panels_are_cut_through_the_peak(image: Volume, heat: Volume):
    figure = volume_figure(image, heat, None, None, None, title="eye", scale=4.0)
    shown = [axes.images[0].get_array() for axes in figure.axes[:3]]
    np.testing.assert_allclose(shown[0], image.array[:, 2].T)
    np.testing.assert_allclose(shown[2], image.array[:, :, 9].T)
    assert "at 0.48 mm" in titles(figure)[2]  # the centre of voxel 9, .475 mm


def test_maps_are_drawn_raw_on_the_given_scale(image: Volume, heat: Volume):
    figure = volume_figure(image, heat, None, None, None, title="eye", scale=4.0)
    overlay = figure.axes[3].images[1]
    assert overlay.get_array().max() == 2.0
    assert overlay.get_clim() == (0, 4.0)


def test_depth_is_told_from_the_ilm_and_lesions_are_outlined(image: Volume, heat: Volume):
    planes = np.stack([np.full((12, 10), d, np.float32) for d in (0.1, 0.3, 0.6)], axis=2)
    surfaces = PlaneStack(planes, AFFINE, ("ILM", "OPL_ONL", "BM"))
    lesion = image.with_array((np.arange(16) > 8)[None, None] * np.ones((12, 10, 1), np.uint8))
    figure = volume_figure(image, heat, None, surfaces, lesion, title="eye", scale=1.0)
    assert "375 um below the ILM" in titles(figure)[2]
    assert len(figure.axes[0].collections) == 1
    assert len(figure.axes[0].lines) == 3


def test_an_empty_map_hides_nothing_of_the_image(image: Volume):
    nothing = image.with_array(np.zeros_like(image.array))
    figure = volume_figure(image, nothing, None, None, None, title="eye", scale=0.0)
    for axes in figure.axes[3:6]:
        grey, warm = axes.images
        assert grey.get_array().max() > 0
        assert (warm.get_alpha() == 0).all()


def test_a_plane_figure_has_a_column_for_each_slab():
    rng = np.random.default_rng(0)
    enface = PlaneStack(rng.random((12, 10, 3)), AFFINE, ("ILM_OPL", "OPL_BM", "ILM_BM"))
    heat = PlaneStack(rng.random((12, 10, 1)), AFFINE, ("gradcam",))
    figure = plane_figure(enface.only(("OPL_BM", "ILM_OPL")), heat, title="eye", scale=1.0)
    assert titles(figure) == ["En-face OPL_BM", "En-face ILM_OPL"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), enface.plane("OPL_BM").T)
