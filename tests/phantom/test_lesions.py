"""Where lesions lie, how they grow, and which are refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from octa_kedro.errors import ConfigError
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.lesions.config import LesionConfig, require_fit
from octa_kedro.phantom.lesions.draw import draw_lesions
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.phantom.lesions.surfaces import MIN_GAP_UM, ordered_lift
from tests.phantom.lesion_eye import BELOW_BM_UM, DISEASES, NARROW, WIDE, a_grid, an_anatomy, an_eye


@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_normal_eye_has_no_lesion(severity: float):
    eye = an_eye("NORMAL", severity)
    assert not eye.mask.any()
    assert not eye.lesions.lift_um.any()
    assert (eye.flow == 1).all()
    assert (eye.grey == 100).all()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("disease", "others", "finding", "depths"),
    [
        ("DR", None, Finding.CAPILLARY_DROPOUT, (0, 2)),
        ("DR", None, Finding.MICROANEURYSM, (0, 2)),
        ("DR", None, Finding.FLUID, (1, 2)),
        ("AMD", None, Finding.DRUSEN, (4, 5)),
        ("AMD", None, Finding.CHORIOCAPILLARIS_DEFICIT, (5, 5, BELOW_BM_UM)),
        ("CNV", None, Finding.NEOVASCULAR, (2, 5)),
        ("CNV", None, Finding.FLUID, (3, 4)),
        ("CNV", None, Finding.CHORIOCAPILLARIS_DEFICIT, (5, 5, BELOW_BM_UM)),
        ("CSC", None, Finding.FLUID, (3, 5)),
        ("RVO", None, Finding.CAPILLARY_DROPOUT, (0, 2)),
        ("RVO", None, Finding.FLUID, (1, 2)),
        ("OTHERS", "membrane", Finding.EPIRETINAL_MEMBRANE, (0, 0)),
        ("OTHERS", "oedema", Finding.FLUID, (1, 3)),
    ],
)
def test_findings_lie_at_their_depths(
    disease: str, others: str | None, finding: Finding, depths: tuple[float, ...], seed: int
):
    eye = an_eye(disease, seed=seed, others=others)
    top, bottom, below = int(depths[0]), int(depths[1]), depths[2] if len(depths) > 2 else 0
    assert (eye.mask == finding).sum() > 20
    if finding is Finding.EPIRETINAL_MEMBRANE:
        above = -eye.band.below(0)[eye.mask == finding]
        assert -8 < above.min() < above.max() < 32
        return
    assert eye.share_between(finding, top, bottom, below) > 0.95


@pytest.mark.parametrize("disease", DISEASES)
def test_a_disease_marks_nothing_but_its_own_findings(disease: str):
    dropout, fluid = Finding.CAPILLARY_DROPOUT, Finding.FLUID
    own = {
        "AMD": {Finding.DRUSEN, Finding.CHORIOCAPILLARIS_DEFICIT},
        "CNV": {Finding.NEOVASCULAR, fluid, Finding.CHORIOCAPILLARIS_DEFICIT},
        "CSC": {fluid},
        "DR": {dropout, Finding.MICROANEURYSM, fluid},
        "RVO": {dropout, fluid},
        "OTHERS": {fluid, Finding.EPIRETINAL_MEMBRANE},
    }
    assert set(np.unique(an_eye(disease).mask)) - {0} <= own[disease]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("disease", DISEASES)
def test_lesions_grow_with_severity_from_nothing(disease: str, seed: int):
    volume = [(an_eye(disease, severity, seed).mask > 0).sum() for severity in (0.0, 0.02, 0.4, 1.0)]
    assert volume[0] == 0
    assert volume[1] < 0.04 * volume[3]
    assert volume[1] <= volume[2] < volume[3]
    lift = [an_eye(disease, severity, seed).lesions.lift_um.mean() for severity in (0.02, 1.0)]
    assert lift[0] <= 0.04 * lift[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("disease", DISEASES)
def test_surfaces_stay_ordered_inside_the_scan(disease: str, seed: int):
    eye = an_eye(disease, seed=seed, sampling=WIDE)
    surfaces = eye.band.surfaces_um
    assert np.diff(surfaces, axis=0).min() >= MIN_GAP_UM - 1e-2
    assert surfaces.min() > 0
    np.testing.assert_array_equal(eye.lesions.lift_um[5], 0)


def test_ordered_lift_holds_surfaces_apart_and_in_the_scan():
    flat = np.array([100, 200, 260, 330, 362, 380], np.float32)[:, None, None]
    lift = np.array([0, 0, 0, 150, 900, 0], np.float32)[:, None, None]
    after = (flat - ordered_lift(flat, lift))[:, 0, 0]
    np.testing.assert_allclose(after, [30, 33, 36, 39, 42, 380])
    np.testing.assert_array_equal(ordered_lift(flat, np.zeros_like(lift)), 0)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("disease", DISEASES)
def test_both_fields_of_view_show_the_same_lesions(disease: str, moved: bool):
    narrow, wide = an_eye(disease), an_eye(disease, sampling=(152, 6.0), moved=moved)
    # equal A-scan spacing: each A-scan of the narrow scan has one of the wide scan half a spacing or less away
    x, y = narrow.grid.coarse
    column = np.abs(y[0][:, None] - wide.grid.coarse[1][0]).argmin(1)
    wide_x = wide.grid.coarse[0][:, column]
    rows = np.abs(x[:, None, :] - wide_x[None]).argmin(1)
    seen = (wide.mask > 0).any(2)[rows, column]
    lesion = (narrow.mask > 0).any(2)
    assert (seen & lesion).sum() / (seen | lesion).sum() > (0.6 if disease == "DR" else 0.75)
    lift = wide.lesions.lift_um[:, rows, column]
    assert np.abs(lift - narrow.lesions.lift_um).mean() < 0.03 * max(1, narrow.lesions.lift_um.max())


@pytest.mark.parametrize("disease", ["AMD", "DR", "RVO"])
def test_a_wide_scan_shows_lesions_outside_the_narrow_one(disease: str):
    eye = an_eye(disease, sampling=WIDE)
    outside = np.abs(np.stack(eye.grid.coarse)).max(0) > 1.6
    assert (eye.mask > 0).any(2)[outside].any()


@pytest.mark.parametrize("disease", DISEASES)
def test_equal_seeds_give_equal_lesions_and_others_do_not(disease: str):
    again = an_eye.__wrapped__(disease)
    np.testing.assert_array_equal(again.mask, an_eye(disease).mask)
    np.testing.assert_array_equal(again.flow, an_eye(disease).flow)
    assert (again.mask.any(2) != an_eye(disease, seed=2).mask.any(2)).any()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"cnv": {"offset_mm": (0.0, 2.0)}}, "cnv.offset_mm"),
        ({"csc": {"offset_mm": (0.0, 1.6)}}, "csc.offset_mm"),
        ({"amd": {"reach_mm": (0.0, 2.5)}}, "amd.reach_mm"),
        ({"others": {"membrane": {"offset_mm": (0.0, 1.7)}}}, "others.membrane.offset_mm"),
        ({"others": {"oedema": {"reach_mm": (0.0, 1.7)}}}, "others.oedema.reach_mm"),
        ({"dr": {"residual_flow": (0.1, 0.8)}}, "dr.residual_flow"),
        ({"cnv": {"flow": (-1.0, 2.0)}}, "flow"),
        ({"dr": {"patches": (9, 3)}}, "patches"),
        ({"dr": {"microaneurysms": (0, 3)}}, "microaneurysms"),
        ({"others": {"membrane_share": 1.5}}, "membrane_share"),
        ({"glaucoma": {}}, "glaucoma"),
    ],
)
def test_impossible_lesions_are_refused_by_name(changes: dict[str, object], name: str):
    with pytest.raises(ValidationError, match=name):
        LesionConfig.model_validate(changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"cnv": {"height_um": (60.0, 200.0)}}, "cnv.height_um"),
        ({"cnv": {"rpe_elevation_um": (8.0, 150.0)}}, "cnv.rpe_elevation_um"),
        ({"amd": {"drusen_height_um": (20.0, 160.0)}}, "amd.drusen_height_um"),
        ({"cnv": {"offset_mm": (0.0, 1.45)}}, "cnv.offset_mm"),
        ({"csc": {"height_um": (60.0, 500.0)}}, "csc.height_um"),
        ({"rvo": {"thickening_um": (60.0, 600.0)}}, "rvo.thickening_um"),
    ],
)
def test_lesions_that_no_retina_holds_are_refused_by_name(changes: dict[str, object], name: str):
    require_fit(LesionConfig(), AnatomyConfig())
    with pytest.raises(ValueError, match=name):
        require_fit(LesionConfig.model_validate(changes), AnatomyConfig())


@pytest.mark.parametrize(("disease", "severity", "name"), [("GLAUCOMA", 0.5, "disease"), ("DR", 1.2, "severity")])
def test_unknown_disease_or_severity_is_refused_by_name(disease: str, severity: float, name: str):
    grid = a_grid(NARROW)
    with pytest.raises(ConfigError, match=name):
        draw_lesions(
            np.random.default_rng(0),
            grid,
            an_anatomy(grid, 1),
            disease=disease,  # type: ignore[arg-type]
            severity=severity,
            config=LesionConfig(),
        )
