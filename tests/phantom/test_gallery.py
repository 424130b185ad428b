"""The picture of the phantom's diseases, on eyes of plain boxes."""

import io
from functools import partial
from typing import get_args

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from octa_kedro.io.release import SURFACES
from octa_kedro.phantom.config import Disease, PhantomConfig
from octa_kedro.phantom.exhibit import exhibit
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.gallery import COLOURS, gallery_eyes, gallery_figure, phantom_gallery
from octa_kedro.phantom.lesions.model import Finding

SHAPE = (20, 30, 200)  # 0.01 mm deep voxels
LAYERS = (60, 70, 76, 84, 88, 90)
FOVEA = (8, 17)


def box_eye(*findings: tuple[Finding, tuple[slice, slice, slice]], side: str = "OD") -> PhantomEye:
    """Flat layers whose OCTA grey value is the number of the surface above; thinnest at FOVEA."""
    octa = np.zeros(SHAPE, np.uint8)
    for number, (top, bottom) in enumerate(zip(LAYERS, (*LAYERS[1:], 110), strict=True)):
        octa[:, :, top:bottom] = 10 * (number + 1)
    surfaces = np.broadcast_to(np.float32(LAYERS)[:, None, None], (6, *SHAPE[:2])).copy()
    surfaces[0][FOVEA] += 5
    lesion = np.zeros(SHAPE, np.uint8)
    for finding, where in findings:
        lesion[where] = finding
    return PhantomEye(np.full(SHAPE, 90, np.uint8), octa, surfaces, lesion, (3.0, 3.0, 2.0), side)


def test_slabs_lie_between_their_surfaces():
    shown = exhibit(box_eye())
    x, y = 3, 3
    assert shown.slabs["superficial"][x, y] == 10
    assert shown.slabs["deep"][x, y] == 20
    # 8, 4 and 2 voxels of OPL/ONL to IS/OS, IS/OS to RPE, RPE to BM
    assert shown.slabs["outer retina"][x, y] == pytest.approx((8 * 30 + 4 * 40 + 2 * 50) / 14)
    assert shown.slabs["choriocapillaris"][x, y] == 60


def test_normal_eye_is_cut_through_the_fovea():
    shown = exhibit(box_eye())
    assert shown.row == FOVEA[1]
    assert shown.covered == {}
    assert shown.depths_mm == pytest.approx((0.605, 0.905))


def test_cut_shows_every_finding_where_one_bscan_can():
    fluid = (Finding.FLUID, np.s_[2:18, 2:20, 86:88])
    drusen = (Finding.DRUSEN, np.s_[4:6, 5:8, 89:90])
    shown = exhibit(box_eye(fluid, drusen))
    # of the B-scans with both, the nearest to the fovea
    assert shown.row == 7
    assert set(np.unique(shown.lesion)) == {0, Finding.FLUID, Finding.DRUSEN}
    assert {finding: cover.sum() for finding, cover in shown.covered.items()} == {
        Finding.FLUID: 16 * 18,
        Finding.DRUSEN: 2 * 3,
    }


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.fixture(scope="module")
def figure() -> Figure:
    fluid = (Finding.FLUID, np.s_[0:10, 10:25, 86:88])
    eyes = {"NORMAL": box_eye, "CSC": partial(box_eye, fluid, side="OS")}
    return gallery_figure(eyes, title="two eyes")


def test_rows_are_labelled_with_word_findings_and_area(figure: Figure):
    assert {"NORMAL", "no lesion", "CSC", "fluid", "2.25 mm2"} <= set(texts(figure))
    assert [text.get_text() for text in figure.legends[0].get_texts()][:1] == ["capillary dropout"]


def test_directions_are_named_as_seen(figure: Figure):
    right, left = (axes for axes in figure.axes if {"T", "N"} <= {text.get_text() for text in axes.texts})
    for axes, temporal_is_left in ((right, True), (left, False)):
        x = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert (x["T"] < x["N"]) == temporal_is_left


def test_superior_is_up_and_the_line_lies_on_the_bscan(figure: Figure):
    *_, mask = figure.axes
    tint = mask.images[-1].get_array()
    rows, columns = np.nonzero(tint[..., 3])
    # B-scans 10 to 24 of 30 and A-scans 0 to 9 of 20: the first row of the picture is the last B-scan
    assert (rows.min(), rows.max()) == (5, 19)
    assert (columns.min(), columns.max()) == (0, 9)
    assert mask.lines[0].get_ydata()[0] == pytest.approx(17.5 * 3 / 30)


def test_bscans_show_the_same_depth_and_the_whole_retina(figure: Figure):
    bscans = [axes for axes in figure.axes if axes.yaxis_inverted()]
    assert len(bscans) == 4
    for axes in bscans:
        bottom, top = axes.get_ylim()
        assert bottom - top == pytest.approx(0.3 + 0.24)
        assert top < 0.605
        assert bottom > 0.905


def test_every_surface_is_drawn(figure: Figure):
    assert [len(axes.lines) for axes in figure.axes[1:3]] == [len(SURFACES), 0]


def test_picture_is_2400_pixels_wide(figure: Figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert Image.open(file).width == 2400


def test_every_finding_has_a_colour_of_its_own():
    assert COLOURS.keys() == set(Finding)
    assert len(set(COLOURS.values())) == len(Finding)


def test_phantom_gallery_shows_every_word_whatever_the_cohort_has():
    config = PhantomConfig(seed=2, subjects={"NORMAL": 1, "DR": 1}, shapes={"3mm": (32, 32, 128)}, share_6mm=0)
    assert tuple(gallery_eyes(config)) == get_args(Disease)
    figure = phantom_gallery(config)
    assert set(get_args(Disease)) <= set(texts(figure))
    assert texts(figure).count("no lesion") == 1
    assert "3 mm wide, 32 x 32 x 128 voxels" in figure.texts[0].get_text()
