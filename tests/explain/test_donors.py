"""Replacements of tissue: where a donor's layers land."""

from dataclasses import replace

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.explain.donors import donor_replacement, warp_depths
from octa_kedro.io.volume import PlaneStack, Volume

SHAPE = (5, 7, 60)
STEP = 0.01  # mm of depth
NAMES = ("ILM", "OPL_ONL", "BM")


def eye_with(
    depths: tuple[float, float, float], start_mm: float, tilt: float, source: str
) -> tuple[Volume, PlaneStack]:
    """An eye whose grey level is 1 and 2 in its two layers and 0 elsewhere; its grid begins at `start_mm`."""
    affine = np.diag([0.05, 0.04, STEP, 1.0])
    affine[2, 3] = start_mm
    planes = np.array(depths) + start_mm + tilt * np.arange(SHAPE[0])[:, None, None] + np.zeros((*SHAPE[:2], 1))
    surfaces = PlaneStack(planes.astype(np.float32), affine, NAMES, None, source)
    z = STEP * np.arange(SHAPE[2]) + start_mm
    layers = [(z >= planes[..., k, None]) & (z < planes[..., k + 1, None]) for k in range(2)]
    array = (layers[0] + 2.0 * layers[1]).astype(np.float32)
    return Volume(array, affine, "octa", None, source), surfaces


def test_the_donors_layers_lie_on_the_eyes():
    eye, surfaces = eye_with((0.103, 0.253, 0.403), 0.5, 0.01, "eye")
    donor, donor_surfaces = eye_with((0.203, 0.253, 0.503), 0.2, -0.01, "donor")
    warped = donor_replacement(eye, surfaces, donor, donor_surfaces)
    # interpolation mixes what lies across a border, so only voxels a whole one from it are exact
    z = STEP * np.arange(SHAPE[2]) + 0.5
    far = (np.abs(z[:, None] - surfaces.array[:, :, None, :]) > 0.03).all(-1)
    assert far.mean() > 0.5
    np.testing.assert_allclose(warped[far], eye.array[far], atol=1e-5)
    np.testing.assert_allclose(warped, eye.array, atol=2)
    unwarped = np.abs(donor.array - eye.array)[far]
    assert unwarped.max() >= 1  # without the warp they would not


def test_depths_are_mapped_linearly_between_surfaces():
    target, source = np.array([[1.0, 2.0, 4.0]]), np.array([[10.0, 14.0, 15.0]])
    depths = np.array([0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    np.testing.assert_allclose(warp_depths(depths, target, source), [[9, 10, 12, 14, 14.5, 15, 17]])


def test_a_layer_that_the_eye_lacks_is_skipped():
    target, source = np.array([[1.0, 2.0, 2.0, 3.0]]), np.array([[1.0, 2.0, 5.0, 6.0]])
    np.testing.assert_allclose(warp_depths(np.array([1.5, 1.999, 2.0, 2.5]), target, source), [[1.5, 1.999, 5, 5.5]])


def test_only_tissue_is_replaced_and_only_by_tissue():
    eye, surfaces = eye_with((0.103, 0.253, 0.403), 0.0, 0.0, "eye")
    donor, donor_surfaces = eye_with((0.153, 0.253, 0.453), 0.0, 0.0, "donor")
    eye = eye.with_array(eye.array + 7)  # the eye's surroundings are 7, the donor's 0
    warped = donor_replacement(eye, surfaces, donor, donor_surfaces, mask_slab="ILM_BM")
    z = STEP * np.arange(SHAPE[2])
    inside = (z >= 0.103) & (z < 0.403)
    assert (warped[..., ~inside] == 7).all()
    assert warped[..., inside].min() >= 1
    assert warped[..., inside].max() <= 2


def test_donors_that_do_not_fit_are_refused():
    eye, surfaces = eye_with((0.1, 0.25, 0.4), 0.0, 0.0, "eye")
    with pytest.raises(DataError, match="process both with the same grid"):
        donor_replacement(eye, surfaces, replace(eye, array=eye.array[1:]), surfaces)
    with pytest.raises(DataError, match="needs surface BM"):
        donor_replacement(eye, surfaces.only(("ILM", "OPL_ONL")), eye, surfaces)
    gaps = surfaces.array.copy()
    gaps[0, 0, 1] = np.nan
    with pytest.raises(DataError, match="eye: a surface has gaps"):
        donor_replacement(eye, replace(surfaces, array=gaps), eye, surfaces)
    with pytest.raises(DataError, match="do not follow each other"):
        donor_replacement(eye, replace(surfaces, array=surfaces.array[..., [0, 2, 1]][..., ::-1]), eye, surfaces)
