"""What lesions do to grey values, flow and the surfaces."""

import numpy as np
import pytest

from octa_kedro.phantom.lesions.config import LesionConfig
from octa_kedro.phantom.lesions.model import Finding
from tests.phantom.lesion_eye import DISEASES, WIDE, an_anatomy, an_eye


@pytest.mark.parametrize(
    ("disease", "others"), [("CNV", None), ("CSC", None), ("DR", None), ("RVO", None), ("OTHERS", "oedema")]
)
def test_fluid_is_dark_and_has_no_flow(disease: str, others: str | None):
    eye = an_eye(disease, others=others)
    fluid = eye.mask == Finding.FLUID
    assert np.median(eye.flow[fluid]) < 0.1
    assert np.percentile(eye.flow[fluid], 98) <= 0.7
    assert abs(np.median(eye.grey[fluid]) - 85) < 4


def test_drusen_and_membranes_have_their_grey_and_no_flow():
    for eye, finding, grey in (
        (an_eye("AMD"), Finding.DRUSEN, 140),
        (an_eye("OTHERS", others="membrane"), Finding.EPIRETINAL_MEMBRANE, 190),
    ):
        found = eye.mask == finding
        assert abs(np.percentile(eye.grey[found], 80) - grey) < 6
        assert eye.flow[found].mean() < 0.3


@pytest.mark.parametrize(("disease", "finding"), [("DR", Finding.MICROANEURYSM), ("CNV", Finding.NEOVASCULAR)])
def test_new_vessels_outshine_capillaries_and_only_inside_their_mask(disease: str, finding: Finding):
    eye = an_eye(disease)
    bright = eye.flow > 1.2
    assert (eye.mask == finding)[bright].mean() > 0.95
    assert eye.flow.max() > 1.7


def test_tissue_changes_only_where_marked():
    for disease in DISEASES:
        eye = an_eye(disease)
        assert (np.abs(eye.grey - 100) > 25)[eye.mask == 0].mean() < 0.005


def test_dropout_is_marked_only_where_disease_took_most_of_the_flow():
    eye = an_eye("DR")
    closed = (eye.mask == Finding.CAPILLARY_DROPOUT).any(2)
    kept = np.minimum(eye.grid.sample(eye.lesions.kept_superficial), eye.grid.sample(eye.lesions.kept_deep))
    assert (kept[closed] < 0.5).all()
    superficial, deep = eye.lesions.kept_superficial, eye.lesions.kept_deep
    assert (deep <= superficial + 1e-6).all()
    assert (deep < 0.5).sum() > (superficial < 0.5).sum()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_capillaries_close_first_where_they_were_sparse(seed: int):
    eye = an_eye("DR", seed=seed)
    closed = eye.grid.sample(eye.lesions.kept_deep) < 0.5
    x, y = eye.grid.coarse
    first = an_anatomy(eye.grid, seed).sparse[: LesionConfig().dr.patches[0]]
    for at in first:
        assert closed[np.hypot(x - at[0], y - at[1]) < 0.5 * at[2]].mean() > 0.9


def test_an_occluded_vein_harms_its_sector_only():
    eye = an_eye("RVO", sampling=WIDE)
    sector = eye.lesions.congestion
    assert sector is not None
    assert sector.dilation > 1.2
    outside = sector.share(*eye.grid.coarse) < 0.05
    assert (eye.mask > 0).any(2)[outside].mean() < 0.02
    assert eye.lesions.lift_um[0][outside].max() < 0.06 * eye.lesions.lift_um[0].max()


def test_a_serous_dome_lifts_the_retina_whole():
    lift = an_eye("CSC").lesions.lift_um
    assert lift[3].max() > 50
    for surface in range(3):
        np.testing.assert_allclose(lift[surface], lift[3], atol=1e-2)
