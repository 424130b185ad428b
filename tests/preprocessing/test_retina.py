"""Surfaces estimated from OCT volumes, checked and flattened."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.release import SURFACES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.config import Disease, PhantomConfig
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.retina import estimate_surfaces, flatten_depths

SHAPE = (40, 36, 320)
LIMIT_MM = 3 * 2 / 640  # three voxels of a native scan
DISEASES = get_args(Disease)
CONFIG = PhantomConfig(
    seed=11, subjects=dict.fromkeys(DISEASES, 1), share_6mm=1, shapes={"6mm": (40, 40, 256)}, severity=(0.9, 1.0)
)


def drawn_eye(shape: tuple[int, int, int] = SHAPE, tilt: float = 0.05) -> tuple[Volume, dict[str, np.ndarray]]:
    """Six borders, tilted, with a pit, and shadows from the ILM down; depths in millimetres."""
    affine = scan_affine(shape, (3.0, 3.0, 2.0))
    x, y = np.meshgrid(*(affine[a, a] * np.arange(shape[a]) + affine[a, 3] - 1.5 for a in (0, 1)), indexing="ij")
    pit = np.exp(-(x**2 + y**2) / 0.3**2)
    bm = 1.2 + tilt * x - 0.5 * tilt * y - 0.01 * (x**2 + y**2)
    above = {"ILM": 0.3 - 0.1 * pit, "IPL_INL": 0.19 - 0.05 * pit, "OPL_ONL": 0.13, "IS_OS": 0.06, "RPE": 0.02, "BM": 0}
    depths = {name: bm - height for name, height in above.items()}
    changes = (80, -25, -40, 60, 25, -40)
    z = affine[2, 2] * np.arange(shape[2]) + affine[2, 3]
    grey = sum(c * (z >= depths[n][..., None]) for n, c in zip(SURFACES, changes, strict=True))
    grey = grey * np.exp(-np.maximum(z - bm[..., None], 0) / 0.1)
    shadows = np.ones(shape[:2])
    shadows[12:14], shadows[:, 25] = 0.6, 0.5
    noise = np.random.default_rng(1).normal(0, 7, shape)
    array = np.clip(70 + grey * shadows[..., None] + noise, 0, 255).astype(np.uint8)
    return Volume(array, affine, "OCT", "OD", "eye 3"), depths


def flat(**depth_mm: float) -> PlaneStack:
    planes = [np.full((20, 10), depth, np.float32) for depth in depth_mm.values()]
    affine = scan_affine((20, 10, 100), (3.0, 3.0, 2.0))
    return PlaneStack(np.stack(planes, axis=2), affine, tuple(depth_mm), "OD", "eye 5")


def changed(surfaces: PlaneStack, name: str, where: tuple, depth: float) -> PlaneStack:
    array = surfaces.array.copy()
    array[(*where, surfaces.names.index(name))] = depth
    return replace(surfaces, array=array)


@pytest.mark.parametrize("tilt", [0.0, 0.05, -0.15])
def test_a_drawn_eye_is_found_within_a_voxel(tilt: float):
    volume, truth = drawn_eye(tilt=tilt)
    found = estimate_surfaces(volume)
    assert (found.names, found.note, found.source) == (SURFACES, "estimated", "eye 3")
    assert found.array.dtype == np.float32
    for name in SURFACES:
        errors = np.abs(found.plane(name) - truth[name])
        assert np.median(errors) < volume.spacing[2], name
        if name in ("ILM", "BM"):
            assert np.percentile(errors, 99) < 3 * volume.spacing[2], name
    assert (np.diff(found.array, axis=2) >= 0).all()  # none crosses another


def test_what_the_layout_and_the_type_are_changes_nothing():
    volume, _ = drawn_eye()
    expected = estimate_surfaces(volume).array
    bscans = np.ascontiguousarray(volume.array.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_allclose(estimate_surfaces(volume.with_array(bscans)).array, expected, atol=1e-5)
    floats = volume.with_array(volume.array.astype(np.float32) * 3)
    np.testing.assert_allclose(estimate_surfaces(floats).array, expected, atol=1e-3)


def test_depths_follow_the_affine():
    volume, _ = drawn_eye()
    moved = volume.affine.copy()
    moved[2, 3] += 0.5
    shifted = estimate_surfaces(volume.with_array(volume.array, moved))
    np.testing.assert_allclose(shifted.array, estimate_surfaces(volume).array + 0.5, atol=1e-5)


@pytest.mark.parametrize("scans", [1, 2, 3])
def test_few_bscans_are_enough(scans: int):
    volume, truth = drawn_eye()
    found = estimate_surfaces(volume.with_array(volume.array[:, 20 : 20 + scans]))
    assert found.array.shape == (SHAPE[0], scans, 6)
    for name in ("ILM", "BM"):
        assert np.median(np.abs(found.plane(name) - truth[name][:, 20 : 20 + scans])) < 1.5 * volume.spacing[2]


@pytest.mark.parametrize("disease", DISEASES)
def test_phantom_eyes_of_every_disease_are_found(disease: str):
    table = plan_cohort(CONFIG)
    eye = make_eye(CONFIG, table[table["Disease"] == disease].iloc[0])
    volume = Volume(eye.oct, scan_affine(eye.oct.shape, eye.extent_mm), "OCT", eye.laterality, disease)
    found = estimate_surfaces(volume)
    truth_mm = (eye.surfaces + 0.5) * volume.spacing[2]
    for k, name in enumerate(SURFACES):
        errors = np.abs(found.plane(name) - truth_mm[k])
        assert np.median(errors) < LIMIT_MM, name
    assert (np.diff(found.array, axis=2) >= 0).all()


def noise(shape: tuple[int, int, int]) -> np.ndarray:
    return np.clip(np.random.default_rng(0).normal(78, 8, shape), 0, 255)


@pytest.mark.parametrize(
    "array",
    [
        noise((40, 40, 160)),
        np.random.default_rng(1).integers(0, 255, (30, 30, 128)),
        np.full((20, 20, 100), 7),
        np.zeros((20, 20, 100)),
        np.broadcast_to(np.linspace(0, 200, 160), (20, 20, 160)),
    ],
    ids=["vitreous only", "random", "constant", "empty", "ramp"],
)
def test_a_scan_without_a_retina_is_refused_by_name(array: np.ndarray):
    volume = Volume(array.astype(np.uint8), scan_affine(array.shape, (3.0, 3.0, 2.0)), "OCT", "OD", "eye 9")
    with pytest.raises(DataError, match=r"eye 9: no retina found .*supply surfaces or leave the eye out"):
        estimate_surfaces(volume)


def test_flattening_moves_every_ascan_to_the_median():
    surfaces = flat(ILM=0.4, BM=0.8)
    tilted = surfaces.array.copy()
    tilted[..., 1] += np.linspace(-0.1, 0.1, 20)[:, None]
    offset = flatten_depths(replace(surfaces, array=tilted), "BM")
    np.testing.assert_allclose(tilted[..., 1] + offset, 0.8, atol=1e-5)
    np.testing.assert_allclose(flatten_depths(replace(surfaces, array=tilted), "ILM"), 0, atol=1e-6)


def test_flattening_does_not_follow_a_single_ascan():
    surfaces = changed(flat(ILM=0.4, BM=0.8), "BM", (7, 5), 1.2)
    assert np.abs(flatten_depths(surfaces, "BM")).max() < 0.02


def test_flattening_to_a_missing_surface_names_it():
    with pytest.raises(DataError, match="eye 5: flattening needs surface BM, but there are only ILM, RPE"):
        flatten_depths(flat(ILM=0.4, RPE=0.8), "BM")
