"""What makes a scan poor: a weak signal, movements or a tilted retina. The eye itself stays as it is."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from octa_kedro.phantom.anatomy import draw_anatomy
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.fields import Grid
from octa_kedro.phantom.scan import _by_quality, make_eye
from tests.phantom.conftest import MakeEye

NUMBERS = (10301, 10302, 10303)
each_eye = pytest.mark.parametrize("number", NUMBERS)


def retina(eye: PhantomEye) -> NDArray[np.bool_]:
    z = np.arange(eye.octa.shape[2])
    return (z > eye.surfaces[0][..., None]) & (z < eye.surfaces[5][..., None])


def slope(eye: PhantomEye) -> float:
    """Steepness of BM's plane in voxels per scan width."""
    x, y = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in eye.surfaces.shape[1:]), indexing="ij")
    design = np.stack([x.ravel(), y.ravel(), (x**2 + y**2).ravel(), np.ones(x.size)], 1)
    return float(np.hypot(*np.linalg.lstsq(design, eye.surfaces[5].ravel(), rcond=None)[0][:2]))


def roughness(eye: PhantomEye) -> float:
    """How far, in voxels, a B-scan lies from the middle of its neighbours in depth."""
    depth = eye.surfaces[5].mean(0)
    return float(np.std(depth[1:-1] - (depth[:-2] + depth[2:]) / 2))


def likeness_of_neighbours(eye: PhantomEye) -> float:
    """Mean correlation of the depth profiles of one B-scan and the next."""
    profiles = eye.oct.mean(0)
    return float(np.mean([np.corrcoef(pair)[0, 1] for pair in pairwise(profiles)]))


@each_eye
def test_low_signal_dims_octa(sparse_eye: MakeEye, number: int):
    good, poor = (sparse_eye(number=number, quality=quality) for quality in ("good", "low_signal"))
    assert poor.octa[retina(poor)].mean() < 0.65 * good.octa[retina(good)].mean()


@each_eye
def test_low_signal_dims_oct(sparse_eye: MakeEye, number: int):
    good, poor = (sparse_eye(number=number, quality=quality) for quality in ("good", "low_signal"))
    contrast = [eye.oct[retina(eye)].mean() - eye.oct[:, :, :20].mean() for eye in (good, poor)]
    assert contrast[1] < 0.8 * contrast[0]


@each_eye
def test_low_signal_leaves_the_retina_where_it_is(sparse_eye: MakeEye, number: int):
    good, poor = (sparse_eye(number=number, quality=quality) for quality in ("good", "low_signal"))
    np.testing.assert_array_equal(poor.surfaces, good.surfaces)


@each_eye
def test_motion_jolts_bscans_in_depth(sparse_eye: MakeEye, number: int):
    good, poor = (sparse_eye(number=number, quality=quality) for quality in ("good", "motion"))
    assert roughness(poor) > 1.2 * roughness(good)


def test_motion_makes_neighbouring_bscans_less_alike(sparse_eye: MakeEye):
    good, motion = (
        np.mean([likeness_of_neighbours(sparse_eye(number=number, quality=quality)) for number in NUMBERS])
        for quality in ("good", "motion")
    )
    assert motion < good - 0.003


def test_motion_moves_some_bscans_sideways_and_not_the_others(sparse: PhantomConfig, sparse_eye: MakeEye):
    still = sparse.model_copy(update={"signal": sparse.signal.model_copy(update={"saccades": (0, 0)})})
    row = {"ID": 10301, "OS/OD": "OD", "Disease": "NORMAL", "fov_mm": 3.0}
    thickness = [np.diff(eye.surfaces, axis=0) for eye in (make_eye(still, row), sparse_eye(quality="motion"))]
    moved = np.abs(thickness[1] - thickness[0]).max((0, 1)) > 0.01
    assert 0.05 < moved.mean() < 0.95


def test_a_good_scan_is_as_configured(small: PhantomConfig):
    assert _by_quality(small, "good") == (small.anatomy, small.signal)


@each_eye
def test_tilt_is_steeper(sparse_eye: MakeEye, number: int):
    good, poor = (sparse_eye(number=number, quality=quality) for quality in ("good", "tilt"))
    assert slope(poor) > 2 * slope(good)


@each_eye
def test_tilt_leaves_the_layers_as_thick_as_they_are(sparse_eye: MakeEye, number: int):
    good, poor = (sparse_eye(number=number, quality=quality) for quality in ("good", "tilt"))
    np.testing.assert_allclose(np.diff(poor.surfaces, axis=0), np.diff(good.surfaces, axis=0), atol=1e-3)


@pytest.mark.parametrize("fov_mm", [3.0, 6.0])
def test_a_tilted_retina_stays_in_the_scan(small: PhantomConfig, fov_mm: float):
    anatomy, _ = _by_quality(small, "tilt")
    grid = Grid((24, 24, 96), (fov_mm, fov_mm, 2.0), (0.1, 0.1))
    for seed in range(200):
        assert draw_anatomy(np.random.default_rng(seed), grid, anatomy).surfaces_um.min() > 0
