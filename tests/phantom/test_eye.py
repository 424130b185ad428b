from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from octa_kedro.phantom import PhantomConfig, PhantomEye, make_eye

MakeEye = Callable[..., PhantomEye]


def depth_index(eye: PhantomEye) -> NDArray:
    """Depth (Z,) as the surfaces count it."""
    return np.arange(eye.octa.shape[2])


def slab(eye: PhantomEye, top: int, bottom: int) -> NDArray:
    z = depth_index(eye)
    return (z > eye.surfaces[top][..., None]) & (z < eye.surfaces[bottom][..., None])


def projection(eye: PhantomEye, volume: NDArray, top: int, bottom: int) -> NDArray:
    inside = slab(eye, top, bottom)
    return (volume * inside).sum(2) / np.maximum(inside.sum(2), 1)


@pytest.mark.parametrize("disease", ["NORMAL", "DR", "CNV"])
@pytest.mark.parametrize("fov_mm", [3.0, 6.0])
def test_arrays_are_as_promised(eye: MakeEye, disease: str, fov_mm: float):
    made = eye(disease, fov_mm=fov_mm)
    shape = (48, 48, 192) if fov_mm == 3 else (64, 64, 192)
    assert made.extent_mm == (fov_mm, fov_mm, 2.0)
    assert {a.shape for a in (made.oct, made.octa, made.lesion)} == {shape}
    assert {a.dtype for a in (made.oct, made.octa, made.lesion)} == {np.dtype(np.uint8)}
    assert made.surfaces.shape == (6, *shape[:2])
    assert made.surfaces.dtype == np.float32
    assert set(np.unique(made.lesion)) == ({0} if disease == "NORMAL" else {0, 1})


@pytest.mark.parametrize("disease", ["NORMAL", "DR", "CNV"])
@pytest.mark.parametrize("fov_mm", [3.0, 6.0])
def test_surfaces_are_ordered_inside_the_scan_and_as_thick_as_a_retina(eye: MakeEye, disease: str, fov_mm: float):
    made = eye(disease, fov_mm=fov_mm)
    assert (np.diff(made.surfaces, axis=0) > 0).all()
    assert made.surfaces.min() >= 0
    assert made.surfaces.max() <= made.octa.shape[2] - 1
    thickness = (made.surfaces[5] - made.surfaces[0]) * 2000 / made.octa.shape[2]
    assert 230 < np.median(thickness) < 330
    assert 60 < np.median(thickness) - thickness.min() < 140


def test_grey_values_span_what_the_release_spans(eye: MakeEye):
    made = eye("NORMAL")
    assert 40 < made.octa.max() <= 100
    assert 0.6 < (made.octa == 0).mean() < 0.97
    assert made.oct.max() > 170
    assert abs(made.oct[:, :, :10].mean() - 78) < 5


def test_lesion_of_cnv_lies_between_opl_and_bm(eye: MakeEye):
    made = eye("CNV")
    lesion = made.lesion > 0
    assert (lesion & slab(made, 2, 5)).sum() >= 0.95 * lesion.sum()


def test_lesion_of_dr_lies_above_opl(eye: MakeEye):
    made = eye("DR")
    lesion = made.lesion > 0
    assert (lesion & slab(made, 0, 2)).sum() >= 0.95 * lesion.sum()


@pytest.mark.parametrize("number", [10301, 10302, 10303])
def test_tangle_is_brighter_than_the_same_depth_beside_it(eye: MakeEye, number: int):
    made = eye("CNV", number=number)
    lesion = made.lesion > 0
    height = made.surfaces[5][..., None] - depth_index(made)
    depths = (height > 2) & (height < 8)
    beside = depths & ~lesion.any(2)[..., None]
    assert made.octa[lesion & depths].mean() > 2 * made.octa[beside].mean()


@pytest.mark.parametrize("number", [10301, 10302, 10303])
def test_closed_capillaries_are_darker_than_the_open_ones_around_them(eye: MakeEye, number: int):
    made, healthy = eye("DR", number=number), eye("DR", number=number, with_lesion=False)
    lesion = made.lesion > 0
    plexus = slab(made, 0, 2)
    closed = lesion & (made.octa <= healthy.octa)
    assert made.octa[closed].mean() < 0.6 * made.octa[plexus & ~lesion].mean()


def test_microaneurysms_are_the_brightest_voxels_of_the_inner_retina(eye: MakeEye):
    made, healthy = eye("DR"), eye("DR", with_lesion=False)
    gained = made.octa.astype(int) - healthy.octa
    assert made.lesion[gained > 30].mean() > 0.8
    assert np.percentile(made.octa[gained > 30], 50) > np.percentile(healthy.octa[slab(healthy, 0, 2)], 99)


@pytest.mark.parametrize("number", [10301, 10302, 10303])
def test_faz_is_darker_than_the_parafovea(eye: MakeEye, number: int):
    made = eye("NORMAL", number=number)
    enface = projection(made, made.octa, 0, 2)
    thickness = made.surfaces[5] - made.surfaces[0]
    centre = np.unravel_index(np.argmin(thickness), thickness.shape)
    x, y = np.indices(enface.shape)
    r = np.hypot(x - centre[0], y - centre[1]) * 3 / enface.shape[0]
    assert enface[r < 0.2].mean() < 0.4 * enface[(r > 0.7) & (r < 1.2)].mean()


@pytest.mark.parametrize("disease", ["NORMAL", "DR", "CNV"])
def test_left_eye_is_the_mirror_image_of_the_right(eye: MakeEye, disease: str):
    right, left = eye(disease), eye(disease, side="OS")
    assert (right.laterality, left.laterality) == ("OD", "OS")
    for name in ("oct", "octa", "lesion"):
        np.testing.assert_array_equal(getattr(left, name)[::-1], getattr(right, name))
    np.testing.assert_array_equal(left.surfaces[:, ::-1], right.surfaces)


def test_nasal_retina_is_thicker(eye: MakeEye):
    for side, nasal, temporal in (("OD", slice(-20, None), slice(20)), ("OS", slice(20), slice(-20, None))):
        inner = np.mean([np.diff(e.surfaces[:2], axis=0)[0] for e in _six_mm(eye, side)], axis=0)
        assert inner[nasal].mean() > inner[temporal].mean()


def _six_mm(eye: MakeEye, side: str) -> list[PhantomEye]:
    return [eye("NORMAL", number=n, fov_mm=6.0, side=side) for n in (10001, 10002, 10003)]


def test_cnv_does_not_show_between_ilm_and_opl(eye: MakeEye):
    sick, healthy = eye("CNV"), eye("CNV", with_lesion=False)
    difference = projection(sick, sick.octa, 0, 2) - projection(healthy, healthy.octa, 0, 2)
    assert np.abs(difference).max() < 1.0
    assert np.abs(difference).mean() < 0.02
    deep = projection(sick, sick.octa, 2, 5) - projection(healthy, healthy.octa, 2, 5)
    assert deep.max() > 10


def test_healthy_twin_of_a_normal_eye_is_itself(eye: MakeEye):
    np.testing.assert_array_equal(eye("NORMAL").octa, eye("CNV", with_lesion=False).octa)


def test_tangle_lifts_the_pigment_epithelium_and_nothing_else(eye: MakeEye):
    sick, healthy = eye("CNV"), eye("CNV", with_lesion=False)
    lift = healthy.surfaces - sick.surfaces
    assert (lift[[0, 1, 2, 5]] == 0).all()
    assert lift[4].max() > 0.4
    assert (lift[4][~sick.lesion.any(2)] < 0.5).all()


def test_retina_that_leaves_the_scan_is_refused(small: PhantomConfig):
    anatomy = small.anatomy.model_copy(update={"curvature_um_per_mm2": (400.0, 400.0)})
    from octa_kedro.errors import ConfigError

    with pytest.raises(ConfigError, match="curvature_um_per_mm2"):
        make_eye(small.model_copy(update={"anatomy": anatomy}), 10301)
