"""One eye from scan to network input."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.config import (
    ENFACE,
    FLATTEN,
    LESION,
    OCT,
    PARTS,
    SURFACES,
    VOLUME,
    ProcessingConfig,
)
from octa_kedro.preprocessing.eye import (
    make_enface_maps,
    make_reference,
    place_eye,
    process_eye,
    process_lesion,
    process_volume,
)

CONFIG = ProcessingConfig(grid=(16, 14, 24), depth_mm=0.8)


def config(**changes: Any) -> ProcessingConfig:
    return ProcessingConfig.model_validate(CONFIG.model_dump() | changes)


def flat_surfaces(volume: Volume, **depth_mm: float) -> PlaneStack:
    planes = [np.full(volume.array.shape[:2], d, np.float32) for d in depth_mm.values()]
    return PlaneStack(np.stack(planes, 2), volume.affine, tuple(depth_mm), volume.laterality)


def test_processed_volume_has_the_grid_the_range_and_the_place(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.9, OPL_ONL=1.05, BM=1.2)
    result = process_volume(volume, place_eye(volume, surfaces, CONFIG), CONFIG)
    assert result.array.shape == (16, 14, 24)
    assert (result.array.min(), result.array.max()) == (0, 1)
    corner = result.affine[:3, 3] - np.array(result.spacing) / 2
    np.testing.assert_allclose(corner, (0, 0, 1.05 - 0.4))
    assert result.extent_mm == pytest.approx((3, 3, 0.8))


def test_the_depth_crop_goes_by_the_slab_it_is_told(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.9, OPL_ONL=1.0, BM=1.3)
    grid = place_eye(volume, surfaces, config(depth_slab="ILM_OPL", depth_mm=0.4)).placement.grid
    assert grid.origin_mm[2] == pytest.approx(0.95 - 0.2)


def test_enface_map_shows_its_own_slab_only(volume: Volume):
    array = np.ones_like(volume.array)
    surfaces = flat_surfaces(volume, ILM=0.5, OPL_ONL=1.0, BM=1.5)
    array[3:6, 5:9, 12:15] = 60  # between ILM (index 10) and OPL (20)
    array[12:15, 2:4, 24:26] = 60  # between OPL and BM
    settings, scan = config(grid=(20, 16, 24)), volume.with_array(array)
    maps = make_enface_maps(scan, surfaces, place_eye(scan, surfaces, settings), settings)
    upper, lower = maps.plane("ILM_OPL"), maps.plane("OPL_BM")
    assert upper[4, 6] == 1
    assert upper[13, 3] == 0
    assert lower[13, 3] == 1
    assert lower[4, 6] == 0


@pytest.mark.parametrize("key", ["slabs", "depth_slab", "mask_slab"])
def test_unknown_slab_is_named_with_the_nearest(key: str):
    wrong = ("ILM_OPL", "IML_OPL") if key == "slabs" else "IML_OPL"
    with pytest.raises(ValidationError, match="slab 'IML_OPL' is unknown; did you mean ILM_OPL"):
        config(**{key: wrong})


def test_the_whole_depth_is_nothing_to_crop_round():
    with pytest.raises(ValidationError, match="FULL has no depth of its own"):
        config(depth_slab="FULL")


def test_whole_scan_without_a_retina(volume: Volume):
    settings = config(grid=(10, 10, 10), field_mm=None, depth_mm=None, slabs=())
    assert not settings.needs_surfaces
    assert process_volume(volume, place_eye(volume, None, settings), settings).extent_mm == pytest.approx((3, 3, 2))


def test_a_scan_smaller_than_the_field_names_the_eye(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.9, OPL_ONL=1.0, BM=1.2)
    with pytest.raises(DataError, match=r"eye 1.*3\.00 mm wide"):
        place_eye(volume, surfaces, config(field_mm=(6.0, 6.0)))


def test_outside_the_mask_slab_all_is_black(volume: Volume):
    surfaces = flat_surfaces(volume, ILM=0.91, OPL_ONL=1.01, BM=1.2)
    settings = config(mask_slab="ILM_OPL")
    image = process_volume(volume, place_eye(volume, surfaces, settings), settings)
    depth = image.affine[2, 2] * np.arange(24) + image.affine[2, 3]
    inside = (depth > 0.91) & (depth < 1.01)
    assert (image.array[..., ~inside] == 0).all()
    assert image.array[..., inside].mean() > 0.2


def test_a_left_eye_is_mirrored_with_everything_that_belongs_to_it(release):
    left = next(s for s in release.subjects() if release.volume(s, "OCTA").laterality == "OS")
    settings = config(with_oct=True)
    plain, turned = (
        process_eye(release, left, release.surfaces(left), settings.model_copy(update={"mirror_left": m}))
        for m in (False, True)
    )
    for part in (VOLUME, ENFACE, SURFACES, LESION, OCT):
        np.testing.assert_allclose(turned[part].item.array, plain[part].item.array[::-1], atol=1e-5)
        np.testing.assert_allclose(turned[part].item.grid_affine, plain[part].item.grid_affine)
        there = plain[part].item.affine @ [3, 4, 0, 1]  # the same voxel, counted from the other end
        np.testing.assert_allclose(turned[part].item.affine @ [turned[part].item.array.shape[0] - 4, 4, 0, 1], there)
        assert turned[part].item.laterality == "OS"


def test_flattening_makes_the_surface_flat_and_moves_the_volume_with_it(release):
    subject = release.subjects()[0]
    made = process_eye(release, subject, release.surfaces(subject), config(grid=(24, 24, 96), flatten="BM"))
    plain = process_eye(release, subject, release.surfaces(subject), config(grid=(24, 24, 96)))
    bm, before = made[SURFACES].item.plane("BM"), plain[SURFACES].item.plane("BM")
    assert np.ptp(before) > 0.03
    assert np.ptp(bm) < 0.35 * np.ptp(before)  # what is left is roughness finer than the smoothing
    shift = made[FLATTEN].item.plane("shift_mm")
    np.testing.assert_allclose(before - shift, bm, atol=5e-3)
    # the brightest layer below the retina stays where the surface says it is
    assert FLATTEN not in plain


def test_only_the_parts_that_are_asked_for_are_made(release):
    subject = release.subjects()[0]
    made = process_eye(release, subject, release.surfaces(subject), CONFIG, parts=(ENFACE,))
    assert VOLUME not in made
    assert LESION not in made
    whole = process_eye(release, subject, release.surfaces(subject), CONFIG)
    np.testing.assert_array_equal(made[ENFACE].item.array, whole[ENFACE].item.array)


def test_a_setting_matters_to_the_parts_that_depend_on_it_and_no_others():
    def touched(**changes: Any) -> set[str]:
        return {part for part in PARTS if config(**changes).settings_of(part) != CONFIG.settings_of(part)}

    assert touched(intensity={"upper": 90.0}) == {VOLUME}
    assert touched(oct_intensity={"upper": 90.0}) == {OCT}
    assert touched(enface_intensity={"upper": 90.0}) == touched(projection="max") == touched(slabs=("SVP",)) == {ENFACE}
    assert touched(mask_slab="SVP") == {VOLUME, OCT}
    assert touched(depth_mm=0.7) == touched(flatten="BM") == set(PARTS)


def test_registered_eyes_meet_in_the_references_frame(release):
    first, second = [s for s in release.subjects() if release.check(s, "OCTA")["field_of_view_mm"] == 3][:2]
    settings = config(grid=(24, 24, 48), registration={"method": "rigid"})
    reference = make_reference(release, first, release.surfaces(first), settings)
    own = process_eye(release, first, release.surfaces(first), settings, reference)
    other = process_eye(release, second, release.surfaces(second), settings, reference)
    apart = process_eye(release, second, release.surfaces(second), config(grid=(24, 24, 48)))
    np.testing.assert_allclose(own[VOLUME].item.grid_affine, other[VOLUME].item.grid_affine)
    middles = [(made[SURFACES].item.plane("ILM") + made[SURFACES].item.plane("BM")) / 2 for made in (own, other, apart)]
    assert np.abs(middles[1] - middles[0]).mean() < 0.02 < np.abs(middles[2] - middles[0]).mean()
    facts = other[VOLUME].facts["registration"]
    assert facts["overlap_after"] >= facts["overlap_before"]
    assert facts["overlap_after"] > 0.8


def test_registration_without_a_reference_is_an_error(release):
    subject = release.subjects()[0]
    with pytest.raises(DataError, match="registration needs"):
        process_eye(release, subject, release.surfaces(subject), config(registration={"method": "rigid"}))


def test_lesion_and_surfaces_follow_the_volume(release):
    settings = config(grid=(32, 32, 48))
    subject = next(s for s in release.subjects() if release.lesion(s).array.any())
    volume, surfaces, lesion = release.volume(subject, "OCTA"), release.surfaces(subject), release.lesion(subject)
    placed = place_eye(volume, surfaces, settings)
    image, mask = process_volume(volume, placed, settings), process_lesion(volume, lesion, placed)
    np.testing.assert_allclose(mask.affine, image.affine)
    depth = mask.affine[2, 2] * np.arange(48) + mask.affine[2, 3]
    x, y, z = np.nonzero(mask.array)
    assert placed.surfaces is not None
    top, bottom = placed.surfaces.plane("ILM")[x, y], placed.surfaces.plane("BM")[x, y]
    inside = (depth[z] >= top - 0.02) & (depth[z] <= bottom + 0.06)
    assert inside.mean() > 0.98  # down to the choriocapillaris, which disease may close too
    with pytest.raises(DataError, match="mask of shape"):
        process_lesion(volume, replace(lesion, array=lesion.array[:-1]), placed)
