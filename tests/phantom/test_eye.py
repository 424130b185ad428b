"""Whole eyes: the parts of the phantom put together."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from octa_kedro.errors import ConfigError
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.phantom.scan import make_eye
from tests.phantom.conftest import DISEASES, MakeEye

STEP_UM = 2000 / 192
NUMBERS = (10301, 10302, 10303)
SLABS = ((0, 2), (2, 5))


@dataclass(frozen=True)
class Twins:
    """An eye with a disease and the same eye without."""

    sick: PhantomEye
    healthy: PhantomEye

    @property
    def lift(self) -> NDArray:
        """How far, in voxels, each surface was raised."""
        return self.healthy.surfaces - self.sick.surfaces

    @property
    def marked(self) -> NDArray[np.bool_]:
        """A-scans with a lesion."""
        return self.sick.lesion.any(2)

    def has(self, finding: Finding) -> NDArray[np.bool_]:
        found = self.sick.lesion == finding
        assert found.sum() > 10
        return found


def twins(eye: MakeEye, disease: str, number: int = 10301) -> Twins:
    return Twins(eye(disease, number=number), eye("NORMAL", number=number))


def slab(eye: PhantomEye, top: int, bottom: int, below_um: float = 0.0, margin_um: float = 0.0) -> NDArray[np.bool_]:
    """Voxels that touch the space from one surface to `below_um` under another, less a margin at both."""
    z = np.arange(eye.octa.shape[2])
    upper = eye.surfaces[top][..., None] - 0.5 + margin_um / STEP_UM
    return (z > upper) & (z < eye.surfaces[bottom][..., None] + 0.5 + (below_um - margin_um) / STEP_UM)


def projection(eye: PhantomEye, top: int, bottom: int) -> NDArray:
    inside = slab(eye, top, bottom)
    return (eye.octa * inside).sum(2) / np.maximum(inside.sum(2), 1)


def from_fovea_mm(eye: PhantomEye) -> NDArray:
    """Distance (X, Y) of each A-scan from the thinnest place of the retina near the scan's centre."""
    thickness = (eye.surfaces[5] - eye.surfaces[0])[12:-12, 12:-12]
    at = np.unravel_index(np.argmin(thickness), thickness.shape)
    x, y = np.indices(eye.surfaces.shape[1:])
    return np.hypot(x - at[0] - 12, y - at[1] - 12) * eye.extent_mm[0] / len(x)


@pytest.mark.parametrize("disease", ["NORMAL", *DISEASES])
@pytest.mark.parametrize("fov_mm", [3.0, 6.0])
def test_arrays_are_as_promised(sparse_eye: MakeEye, disease: str, fov_mm: float):
    made = sparse_eye(disease, fov_mm=fov_mm)
    shape = (48, 48, 192) if fov_mm == 3 else (64, 64, 192)
    assert made.extent_mm == (fov_mm, fov_mm, 2.0)
    assert {a.shape for a in (made.oct, made.octa, made.lesion)} == {shape}
    assert {a.dtype for a in (made.oct, made.octa, made.lesion)} == {np.dtype(np.uint8)}
    assert made.surfaces.shape == (6, *shape[:2])
    assert made.surfaces.dtype == np.float32


@pytest.mark.parametrize("disease", ["NORMAL", *DISEASES])
@pytest.mark.parametrize("fov_mm", [3.0, 6.0])
def test_diseased_eyes_have_findings_and_normal_ones_none(sparse_eye: MakeEye, disease: str, fov_mm: float):
    values = set(np.unique(sparse_eye(disease, fov_mm=fov_mm).lesion))
    assert values <= {0, *Finding}
    assert (values == {0}) == (disease == "NORMAL")


@pytest.mark.parametrize("disease", ["NORMAL", *DISEASES])
@pytest.mark.parametrize("fov_mm", [3.0, 6.0])
def test_surfaces_are_ordered_inside_the_scan(sparse_eye: MakeEye, disease: str, fov_mm: float):
    made = sparse_eye(disease, fov_mm=fov_mm)
    assert (np.diff(made.surfaces, axis=0) > 0).all()
    assert made.surfaces.min() >= 0
    assert made.surfaces.max() <= made.octa.shape[2] - 1


@pytest.mark.parametrize("number", NUMBERS)
def test_a_normal_retina_is_as_thick_as_a_real_one(eye: MakeEye, number: int):
    made = eye("NORMAL", number=number)
    thickness = (made.surfaces[5] - made.surfaces[0]) * STEP_UM
    assert 230 < np.median(thickness) < 340
    assert 60 < np.median(thickness) - thickness.min() < 140


@pytest.mark.parametrize("number", NUMBERS)
def test_grey_values_span_what_the_release_spans(eye: MakeEye, number: int):
    made = eye("NORMAL", number=number)
    assert 30 < made.octa.max() <= 110
    assert 0.6 < (made.octa == 0).mean() < 0.97
    assert made.oct.max() > 170
    assert abs(made.oct[:, :, :10].mean() - 78) < 5


@pytest.mark.parametrize("number", NUMBERS)
def test_flow_is_seen_in_the_retina_and_choroid_only(eye: MakeEye, number: int):
    made = eye("NORMAL", number=number)
    z = np.arange(192)
    above = z < made.surfaces[0][..., None] - 40 / STEP_UM
    deep = z > made.surfaces[5][..., None] + 400 / STEP_UM
    # the widest vessels reach a little beyond
    assert (made.octa[above] > 2).mean() < 0.02
    assert not made.octa[deep].any()
    assert made.octa[slab(made, 0, 5)].mean() > 3


def test_octa_is_darkest_in_the_outer_nuclear_layer(eye: MakeEye):
    means = []
    for made in (eye("NORMAL", number=number) for number in NUMBERS):
        outside = (from_fovea_mm(made) > 0.6)[..., None]
        depths = slab(made, 2, 3, margin_um=20), slab(made, 0, 1), slab(made, 1, 2), slab(made, 5, 5, 40)
        means.append([made.octa[depth & outside].mean() for depth in depths])
    dark, *bright = np.mean(means, 0)
    assert dark < 0.75 * min(bright)


@pytest.mark.parametrize("number", NUMBERS)
def test_faz_is_darker_than_the_parafovea(eye: MakeEye, number: int):
    made = eye("NORMAL", number=number)
    enface, r = projection(made, 0, 2), from_fovea_mm(made)
    assert enface[r < 0.2].mean() < 0.5 * enface[(r > 0.7) & (r < 1.2)].mean()


@pytest.mark.parametrize("disease", ["NORMAL", "CNV", "DR"])
def test_left_eye_is_the_mirror_image_of_the_right(sparse_eye: MakeEye, disease: str):
    right, left = sparse_eye(disease), sparse_eye(disease, side="OS")
    assert (right.laterality, left.laterality) == ("OD", "OS")
    for name in ("oct", "octa", "lesion"):
        np.testing.assert_array_equal(getattr(left, name)[::-1], getattr(right, name))
    np.testing.assert_array_equal(left.surfaces[:, ::-1], right.surfaces)


def test_projections_are_means_of_the_slabs(sparse_eye: MakeEye):
    made = sparse_eye("NORMAL")
    maps = made.projections
    np.testing.assert_allclose(maps["OCT(FULL)"], made.oct.mean(2), rtol=1e-4)
    inner = maps["OCTA(ILM_OPL)"]
    assert np.corrcoef(inner.ravel(), projection(made, 0, 2).ravel())[0, 1] > 0.95
    assert {m.shape for m in maps.values()} == {(48, 48)}


@pytest.mark.parametrize(
    ("disease", "top", "bottom", "below_um"),
    [("DR", 0, 2, 0), ("RVO", 0, 2, 0), ("CSC", 3, 5, 0), ("AMD", 4, 5, 45), ("CNV", 2, 5, 45), ("OTHERS", 0, 3, 0)],
)
def test_lesions_lie_at_the_depth_of_their_disease(
    sparse_eye: MakeEye, disease: str, top: int, bottom: int, below_um: float
):
    sick = sparse_eye(disease)
    lesion = sick.lesion > 0
    # a membrane lies on the ILM
    lesion &= sick.lesion != Finding.EPIRETINAL_MEMBRANE
    assert slab(sick, top, bottom, below_um)[lesion].sum() >= 0.95 * lesion.sum()


def test_closed_capillaries_change_octa_in_their_mask_only(sparse_eye: MakeEye):
    assert changed_outside(twins(sparse_eye, "DR"), "octa") < 0.02


@pytest.mark.parametrize("disease", ["AMD", "CNV", "CSC", "DR", "RVO"])
def test_disease_leaves_oct_as_it_is_elsewhere(sparse_eye: MakeEye, disease: str):
    assert changed_outside(twins(sparse_eye, disease), "oct") < 0.02


def test_disease_leaves_octa_as_it_is_elsewhere(sparse_eye: MakeEye):
    diseases = ("AMD", "CNV", "CSC", "RVO")
    assert max(changed_outside(twins(sparse_eye, disease), "octa") for disease in diseases) < 0.02


def changed_outside(pair: Twins, name: str) -> float:
    """Share of voxels with another grey value, of the A-scans with neither lesion nor lift."""
    untouched = ~pair.marked & (np.abs(pair.lift).max(0) < 1e-3)
    assert untouched.sum() > 100
    sick, healthy = (getattr(eye, name)[untouched].astype(int) for eye in (pair.sick, pair.healthy))
    return float((np.abs(sick - healthy) > 3).mean())


def test_cnv_shows_in_the_outer_retina_rather_than_the_inner(sparse_eye: MakeEye):
    gain = []
    for pair in (twins(sparse_eye, "CNV", number) for number in NUMBERS[:2]):
        tangle = pair.has(Finding.NEOVASCULAR).any(2)
        sick, healthy = ([projection(e, *s)[tangle].mean() for s in SLABS] for e in (pair.sick, pair.healthy))
        gain.append(np.divide(sick, healthy))
    inner, outer = np.mean(gain, 0)
    assert outer > 1.2 * inner


@pytest.mark.parametrize("number", NUMBERS[:2])
def test_a_tangle_is_brighter_than_the_same_depth_was(sparse_eye: MakeEye, number: int):
    pair = twins(sparse_eye, "CNV", number)
    tangle = pair.has(Finding.NEOVASCULAR)
    assert pair.sick.octa[tangle].mean() > 1.2 * pair.healthy.octa[tangle].mean()


@pytest.mark.parametrize(("disease", "limit"), [("DR", 0.85), ("RVO", 0.8)])  # diabetes leaves a third of the flow
def test_closed_capillaries_are_darker_than_they_were(sparse_eye: MakeEye, disease: str, limit: float):
    left = []
    for pair in (twins(sparse_eye, disease, number) for number in NUMBERS[:2]):
        # microaneurysms lie in closed patches and shine through the projection, beyond their border as well
        near = binary_dilation((pair.sick.lesion == Finding.MICROANEURYSM).any(2))
        closed = pair.has(Finding.CAPILLARY_DROPOUT).any(2) & ~near
        assert closed.sum() > 100
        # the median, since large vessels run on through closed capillaries
        before, after = (np.median(projection(e, 0, 2)[closed]) for e in (pair.healthy, pair.sick))
        left.append(after / before)
    assert np.mean(left) < limit


def test_microaneurysms_are_brighter_than_what_was_there(sparse_eye: MakeEye):
    pair = twins(sparse_eye, "DR")
    found = pair.has(Finding.MICROANEURYSM)
    assert pair.sick.octa[found].mean() > 1.5 * pair.healthy.octa[found].mean()


def test_nothing_but_microaneurysms_gains_flow_in_dr(sparse_eye: MakeEye):
    pair = twins(sparse_eye, "DR")
    gained = pair.sick.octa.astype(int) - pair.healthy.octa > 25
    assert pair.has(Finding.MICROANEURYSM)[gained].mean() > 0.75


def test_gaps_in_the_choriocapillaris_are_darker_than_they_were(sparse_eye: MakeEye):
    left = []
    for pair in (twins(sparse_eye, "AMD", number) for number in NUMBERS[:2]):
        gap = pair.has(Finding.CHORIOCAPILLARIS_DEFICIT)
        left.append(pair.sick.octa[gap].mean() / pair.healthy.octa[gap].mean())
    assert np.mean(left) < 0.85


@pytest.mark.parametrize("disease", ["DR", "CSC", "RVO"])
def test_fluid_is_as_dark_as_the_vitreous(sparse_eye: MakeEye, disease: str):
    sick = sparse_eye(disease)
    fluid = sick.lesion == Finding.FLUID
    assert fluid.sum() > 10
    assert abs(np.median(sick.oct[fluid]) - 85) < 15
    assert np.median(sick.octa[fluid]) < 10


@pytest.mark.parametrize(
    ("disease", "lifted", "still"),
    [
        ("AMD", (3, 4), (5,)),
        ("CNV", (3, 4), (5,)),
        ("CSC", (0, 1, 2, 3), (5,)),
        ("DR", (), (0, 1, 2, 3, 4, 5)),
        ("RVO", (0, 1), (3, 4, 5)),
        ("OTHERS", (0,), (4, 5)),
    ],
)
def test_each_disease_raises_what_lies_above_it(
    sparse_eye: MakeEye, disease: str, lifted: tuple[int, ...], still: tuple[int, ...]
):
    lift = np.max([twins(sparse_eye, disease, number).lift for number in NUMBERS[:2]], 0)
    assert (np.abs(lift[list(still)]) < 1e-3).all()
    assert all(lift[surface].max() > 5 / STEP_UM for surface in lifted)


@pytest.mark.parametrize("disease", DISEASES)
def test_disease_never_lowers_a_surface_noticeably(sparse_eye: MakeEye, disease: str):
    assert twins(sparse_eye, disease).lift.min() > -1


def test_retina_that_leaves_the_scan_is_refused(sparse: PhantomConfig):
    anatomy = sparse.anatomy.model_copy(update={"curvature_um_per_mm2": (400.0, 400.0)})
    with pytest.raises(ConfigError, match="curvature_um_per_mm2"):
        make_eye(sparse.model_copy(update={"anatomy": anatomy}), 10301)
