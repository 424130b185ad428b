from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from octa_kedro.errors import ConfigError
from octa_kedro.phantom.anatomy import Anatomy, draw_anatomy
from octa_kedro.phantom.band import Band
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.fields import Grid
from octa_kedro.phantom.lesions.config import LesionConfig, require_fit
from octa_kedro.phantom.lesions.draw import draw_lesions
from octa_kedro.phantom.lesions.model import Finding, Lesions
from octa_kedro.phantom.lesions.paint import lesion_mask, paint_flow, paint_tissue
from octa_kedro.phantom.lesions.surfaces import MIN_GAP_UM, ordered_lift

DISEASES = ("AMD", "CNV", "CSC", "DR", "RVO", "OTHERS")
BELOW_BM_UM = 30.0
NARROW, WIDE = (76, 3.0), (100, 6.0)
ONE_OF_OTHERS = {"membrane": {"others": {"membrane_share": 1.0}}, "oedema": {"others": {"membrane_share": 0.0}}}


@dataclass(frozen=True)
class Eye:
    """One eye without vessels: its mask, grey values and flow on a background of 100 and of 1."""

    grid: Grid
    lesions: Lesions
    band: Band
    mask: NDArray
    grey: NDArray
    flow: NDArray

    def share_between(self, finding: Finding, top: int, bottom: int, below_um: float = 0) -> float:
        """Share of a finding's voxels that touch the space from one surface to `below_um` under another."""
        half = self.grid.voxel_um[2] / 2
        inside = (self.band.below(top) > -half) & (self.band.below(bottom) < below_um + half)
        return float(inside[self.mask == finding].mean())


def a_grid(sampling: tuple[int, float], shift_mm: NDArray | None = None) -> Grid:
    lateral, extent = sampling
    return Grid((lateral, lateral, 256), (extent, extent, 2.0), (0.06, -0.04), shift_mm)


def an_anatomy(grid: Grid, seed: int) -> Anatomy:
    return draw_anatomy(np.random.default_rng(seed), grid, AnatomyConfig())


@cache
def an_eye(
    disease: str,
    severity: float = 1.0,
    seed: int = 1,
    *,
    sampling: tuple[int, float] = NARROW,
    others: str | None = None,
    moved: bool = False,
) -> Eye:
    lateral, _ = sampling
    grid = a_grid(sampling, 0.2 * (np.arange(lateral) % 20 > 14) if moved else None)
    anatomy = an_anatomy(grid, seed)
    config = LesionConfig.model_validate(ONE_OF_OTHERS.get(others, {}))
    rng = np.random.default_rng(100 + seed)
    lesions = draw_lesions(rng, grid, anatomy, disease=disease, severity=severity, config=config)
    band = Band(grid, anatomy.surfaces_um - lesions.lift_um)
    grey, flow = np.full(band.z_um.shape, 100, np.float32), np.ones(band.z_um.shape, np.float32)
    paint_tissue(band, lesions, grey)
    paint_flow(band, lesions, flow)
    return Eye(grid, lesions, band, lesion_mask(band, lesions, *plexuses(band)), grey, flow)


def plexuses(band: Band) -> tuple[NDArray, NDArray, NDArray]:
    """Where a superficial plexus, a deep one and a choriocapillaris might lie."""
    inner, middle = band.fraction(0, 1), band.fraction(1, 2)
    below = band.below(5)
    return (inner > 0.3) & (inner < 0.9), (middle > 0.5) & (middle < 1), (below > 0) & (below < BELOW_BM_UM)


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
