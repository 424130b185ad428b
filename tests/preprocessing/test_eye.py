"""One eye from scan to network input."""

import numpy as np
import pytest
from pydantic import ValidationError

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.eye import (
    ProcessingConfig,
    make_enface_maps,
    process_lesion,
    process_surfaces,
    process_volume,
)
from octa_kedro.preprocessing.intensity import IntensityConfig, clip_and_scale
from octa_kedro.preprocessing.projection import project_mean
from octa_kedro.preprocessing.retina import estimate_surfaces, retina_centre_mm

CONFIG = ProcessingConfig(grid=(16, 14, 24), depth_mm=0.8)


def flat_surfaces(volume: Volume, **depth_mm: float) -> PlaneStack:
    planes = [np.full(volume.array.shape[:2], d, np.float32) for d in depth_mm.values()]
    return PlaneStack(np.stack(planes, 2), volume.affine, tuple(depth_mm), volume.laterality)


def test_clip_and_scale_by_hand():
    # Non-zero values 1 .. 100: percentiles 5 and 95 are 5.95 and 95.05; below becomes 0, above the upper value.
    array = np.concatenate([np.zeros(50), np.arange(1, 101)])
    result = clip_and_scale(array, IntensityConfig(lower=5, upper=95), what="eye")
    assert (result[:50] == 0).all()
    assert (result[50:55] == 0).all()
    assert result[50 + 5] == pytest.approx(6 / 95.05)
    assert (result[-5:] == 1).all()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full(10, np.nan), "NaN"),
        (np.zeros(10), "empty"),
        (np.full(10, 4.0), "constant"),
    ],
)
def test_unusable_grey_levels_name_the_eye(array: np.ndarray, words: str):
    with pytest.raises(DataError, match=f"eye 7.*{words}"):
        clip_and_scale(array, IntensityConfig(), what="eye 7")


def test_percentiles_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="lower"):
        IntensityConfig(lower=99, upper=5)


def test_projection_by_hand():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    top, bottom = np.zeros((2, 3)), np.full((2, 3), 4.0)
    np.testing.assert_allclose(project_mean(array, top, bottom), array.mean(2))
    top[0, 0], bottom[0, 0] = 1, 3
    assert project_mean(array, top, bottom)[0, 0] == pytest.approx(1.5)
    assert project_mean(array, bottom, top)[1, 1] == 0


def test_processed_volume_has_the_grid_the_range_and_the_place(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.9, OPL_ONL=1.05, BM=1.2)
    result = process_volume(volume, surfaces, CONFIG)
    assert result.array.shape == (16, 14, 24)
    assert (result.array.min(), result.array.max()) == (0, 1)
    corner = result.affine[:3, 3] - np.array(result.spacing) / 2
    np.testing.assert_allclose(corner, (0, 0, 1.05 - 0.4))
    assert result.extent_mm == pytest.approx((3, 3, 0.8))


def test_enface_map_shows_its_own_slab_only(volume: Volume):
    array = np.ones_like(volume.array)
    surfaces = flat_surfaces(volume, ILM=0.5, OPL_ONL=1.0, BM=1.5)
    array[3:6, 5:9, 12:15] = 60  # between ILM (index 10) and OPL (20)
    array[12:15, 2:4, 24:26] = 60  # between OPL and BM
    maps = make_enface_maps(volume.with_array(array), surfaces, CONFIG.model_copy(update={"grid": (20, 16, 24)}))
    upper, lower = maps.plane("ILM_OPL"), maps.plane("OPL_BM")
    assert upper[4, 6] == 1
    assert upper[13, 3] == 0
    assert lower[13, 3] == 1
    assert lower[4, 6] == 0


def test_surfaces_on_voxel_centres_always_give_the_same_number_of_voxels():
    # Depths in millimetres and back: rounding of the last digit must not move an edge.
    spacing, first = 2 / 640, 1 / 640
    index = np.arange(200, 600).reshape(20, 20)
    array = np.broadcast_to(np.arange(640, dtype=np.float32), (20, 20, 640))
    top = ((index * spacing + first) - first) / spacing
    result = project_mean(array, top, top + 40.0)
    np.testing.assert_allclose(result, index + 19.5, rtol=1e-4)


def test_unknown_slab_is_named(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.5, OPL_ONL=1.0, BM=1.5)
    with pytest.raises(ConfigError, match="'IML_OPL' is unknown"):
        make_enface_maps(volume, surfaces, CONFIG.model_copy(update={"slabs": ("IML_OPL",)}))


def test_whole_scan_without_a_retina(volume: Volume):
    config = ProcessingConfig(grid=(10, 10, 10), field_mm=None, depth_mm=None, slabs=())
    assert not config.needs_surfaces
    assert process_volume(volume, None, config).extent_mm == pytest.approx((3, 3, 2))


def test_a_scan_smaller_than_the_field_names_the_eye(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.9, OPL_ONL=1.0, BM=1.2)
    with pytest.raises(DataError, match=r"eye 1.*3\.00 mm wide"):
        process_volume(volume, surfaces, CONFIG.model_copy(update={"field_mm": (6.0, 6.0)}))


def test_lesion_and_surfaces_follow_the_volume(release):
    config = ProcessingConfig(grid=(32, 32, 48), depth_mm=0.8)
    subject = next(s for s in release.subjects() if release.lesion(s).array.any())
    volume, surfaces, lesion = release.volume(subject, "OCTA"), release.surfaces(subject), release.lesion(subject)
    image = process_volume(volume, surfaces, config)
    mask = process_lesion(volume, lesion, surfaces, config)
    processed = process_surfaces(volume, surfaces, config)
    np.testing.assert_allclose(mask.affine, image.affine)
    depth = mask.affine[2, 2] * np.arange(48) + mask.affine[2, 3]
    x, y, z = np.nonzero(mask.array)
    inside = (depth[z] >= processed.plane("ILM")[x, y] - 0.02) & (depth[z] <= processed.plane("BM")[x, y] + 0.06)
    assert inside.mean() > 0.98  # down to the choriocapillaris, which disease may close too
    with pytest.raises(DataError, match="mask of shape"):
        process_lesion(volume, lesion.with_array(lesion.array[:-1]), surfaces, config)


def test_estimated_surfaces_are_near_the_phantoms_truth(release):
    errors = []
    for subject in release.subjects():
        oct_volume, truth = release.volume(subject, "OCT"), release.surfaces(subject)
        estimate = estimate_surfaces(oct_volume)
        assert estimate.note == "estimated"
        errors.append([np.abs(estimate.plane(n) - truth.plane(n)).mean() for n in ("ILM", "BM")])
        assert retina_centre_mm(estimate) == pytest.approx(retina_centre_mm(truth), abs=0.06)
    assert np.median(errors, axis=0).max() < 0.045


def test_a_scan_without_a_retina_is_named(volume: Volume):
    with pytest.raises(DataError, match="eye 1: no retina found"):
        estimate_surfaces(
            volume.with_array(np.random.default_rng(0).integers(20, 25, volume.array.shape).astype(np.uint8))
        )
