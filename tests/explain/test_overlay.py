"""What the pictures of maps show."""

import numpy as np
import pytest

from octa_kedro.explain.overlay import EMPTY, PlaneMap, plane_figure, volume_figure
from octa_kedro.explain.pictures import direction, pixel_edges
from octa_kedro.explain.titles import ends_of_x
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine

AFFINE = scan_affine((12, 10, 16), (3.0, 3.0, 0.8))
BARE = (None, None, None)


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def words(figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


@pytest.fixture
def image() -> Volume:
    return Volume(np.random.default_rng(0).random((12, 10, 16)).astype(np.float32), AFFINE, "OCTA")


@pytest.fixture
def heat(image: Volume) -> Volume:
    array = np.zeros(image.array.shape, np.float32)
    array[7, 2, 9] = 2.0
    return image.with_array(array)


@pytest.fixture
def surfaces() -> PlaneStack:
    depths = {"ILM": 0.1, "IPL_INL": 0.2, "OPL_ONL": 0.3, "BM": 0.6}
    planes = np.stack([np.full((12, 10), d, np.float32) for d in depths.values()], axis=2)
    return PlaneStack(planes, AFFINE, tuple(depths))


@pytest.fixture
def lesion(image: Volume) -> Volume:
    return image.with_array((np.arange(16) > 8)[None, None] * np.ones((12, 10, 1), np.uint8))


def test_panels_are_cut_through_the_peak(image: Volume, heat: Volume):
    figure = volume_figure(image, heat, *BARE, title="eye", scale=4.0)
    along_x, along_y, _, slice_ = (axes.images[0].get_array() for axes in figure.axes[:4])
    top = np.percentile(image.array[:, 2], 99.5)
    np.testing.assert_allclose(along_x, np.minimum(image.array[:, 2].T, top))
    np.testing.assert_allclose(along_y, image.array[7].T, atol=0.05)
    np.testing.assert_allclose(slice_, image.array[:, :, 9].T, atol=0.05)
    assert "at 0.48 mm" in titles(figure)[3]  # the centre of voxel 9, .475 mm


def test_the_cross_lies_at_the_peaks_place(image: Volume, heat: Volume, surfaces: PlaneStack):
    figure = volume_figure(image, heat, None, surfaces, None, title="eye", scale=4.0)
    across, depth = figure.axes[4].lines[0].get_xydata()[0]
    assert (across, depth) == pytest.approx((7.5 * 0.25, 375))  # millimetres, micrometres below the ILM
    assert figure.axes[6].lines[0].get_xydata()[0] == pytest.approx((7.5 * 0.25, 2.5 * 0.3))


def test_maps_are_drawn_raw_on_the_given_scale(image: Volume, heat: Volume):
    figure = volume_figure(image, heat, *BARE, title="eye", scale=4.0, unit="evidence")
    overlay = figure.axes[4].images[1]
    assert overlay.get_array().max() == 2.0
    assert overlay.get_clim() == (0, 4.0)
    assert "50 % of the colour bar" in words(figure)
    assert figure.axes[11].get_xlabel() == "evidence"


def test_depth_is_told_from_the_ilm(image: Volume, heat: Volume, surfaces: PlaneStack):
    figure = volume_figure(image, heat, None, surfaces, None, title="eye", scale=1.0)
    assert "375 μm below the ILM" in titles(figure)[3]
    assert "(OPL-BM)" in words(figure)
    left_to_right, down = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert left_to_right == (0, 3.0)
    assert down == pytest.approx((700, -100))


def test_lesions_are_outlined_on_both_rows(image: Volume, heat: Volume, surfaces: PlaneStack, lesion: Volume):
    figure = volume_figure(image, heat, None, surfaces, lesion, title="eye", scale=1.0)
    assert [len(figure.axes[k].collections) for k in (0, 1, 4, 5)] == [1, 1, 1, 1]
    assert "inside the lesion" in words(figure)


def test_an_empty_map_hides_nothing_of_the_image_and_has_no_cross(image: Volume):
    nothing = image.with_array(np.zeros_like(image.array))
    figure = volume_figure(image, nothing, *BARE, title="eye", scale=0.0)
    for axes in figure.axes[4:8]:
        grey, warm = axes.images
        assert grey.get_array().max() > 0
        assert (warm.get_alpha() == 0).all()
        assert not axes.lines
    assert EMPTY in words(figure)


def test_the_map_of_a_2d_network_stands_beside(image: Volume, heat: Volume):
    flat = PlaneStack(np.ones((12, 10, 1)), AFFINE, ("ILM_OPL",))
    figure = volume_figure(image, heat, *BARE, title="eye", scale=1.0, plane=PlaneMap(flat, flat, 3.0))
    assert figure.axes[10].images[1].get_clim() == (0, 3.0)


def test_a_figure_with_everything_can_be_saved(image, heat, surfaces, lesion, tmp_path):
    figure = volume_figure(image, heat, None, surfaces, lesion, title="a\nb", scale=1.0)
    figure.savefig(tmp_path / "eye.png")
    assert (tmp_path / "eye.png").stat().st_size > 10_000


def test_a_plane_figure_has_a_column_for_each_slab():
    rng = np.random.default_rng(0)
    enface = PlaneStack(rng.random((12, 10, 3)), AFFINE, ("ILM_OPL", "OPL_BM", "ILM_BM"), "OD")
    heat = PlaneStack(rng.random((12, 10, 1)), AFFINE, ("gradcam",))
    figure = plane_figure(enface.only(("OPL_BM", "ILM_OPL")), heat, title="eye", scale=1.0)
    assert titles(figure)[:2] == ["En-face, OPL to BM", "the same with the map"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), enface.plane("OPL_BM").T, atol=0.05)
    assert figure.axes[3].get_xlabel() == direction(("T", "N"))
    assert all(axes.axison and axes.images for axes in figure.axes)  # no panel is empty


def test_depth_is_said_to_be_drawn_larger(image: Volume, heat: Volume):
    assert "depth drawn x 3.8" in titles(volume_figure(image, heat, *BARE, title="eye", scale=1.0))


@pytest.mark.parametrize(
    ("laterality", "mirrored", "ends"),
    [
        ("OD", None, ("T", "N")),
        ("OD", False, ("T", "N")),
        ("OS", True, ("T", "N")),
        ("OS", False, ("N", "T")),
        ("OS", None, None),
        (None, False, None),
    ],
)
def test_temporal_and_nasal_have_letters_only_where_they_are_known(laterality, mirrored, ends):
    assert ends_of_x(laterality, mirrored) == ends


def test_the_outline_of_a_pixel_is_its_four_edges():
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True
    found = {tuple(sorted(edge)) for edge in pixel_edges(mask)}
    assert found == {((1, 2), (1, 3)), ((2, 2), (2, 3)), ((1, 2), (2, 2)), ((1, 3), (2, 3))}
