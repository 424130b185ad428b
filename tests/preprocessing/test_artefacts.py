"""Tails of vessels, removed from small A-scans in which vessel and tail are known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import ValidationError

from octa_kedro.errors import DataError
from octa_kedro.io.release import SURFACES, Octa500Release
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.artefact_config import ArtefactConfig
from octa_kedro.preprocessing.artefacts import ARTEFACTS, remove_artefacts
from octa_kedro.preprocessing.config import ENFACE, LESION, OCT, PARTS, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.eye import process_eye

SHAPE = (24, 20, 60)
AFFINE = scan_affine(SHAPE, (1.2, 1.0, 0.6))  # voxels of 50 x 50 x 10 um
DEPTHS = dict(zip(SURFACES, (0.05, 0.2, 0.3, 0.4, 0.44, 0.48), strict=True))
CAST, DEEPER, SILENT = (slice(5, 7), slice(None)), (slice(5, 7), slice(8, 12)), (slice(15, 18), slice(None))
VESSEL, TAIL, DEEP_VESSEL = slice(8, 11), slice(38, 48), slice(25, 28)
METHODS = ["projection_resolved", "slab_subtraction"]


def eye() -> tuple[Volume, Volume, PlaneStack]:
    """A superficial vessel with its tail in the bright outer layers, a deep vessel below it, and columns of no flow."""
    reflectance = np.full(SHAPE, 80, np.uint8)
    reflectance[..., 5:48] = 120
    reflectance[..., TAIL] = 180
    flow = np.zeros(SHAPE, np.uint8)
    flow[(*CAST, VESSEL)] = 60
    flow[(*CAST, TAIL)] = 12
    flow[(*DEEPER, DEEP_VESSEL)] = 50
    names = ("OCTA", "OCT")
    octa, structure = (Volume(a, AFFINE, n, "OD", "eye 3") for a, n in zip((flow, reflectance), names, strict=True))
    planes = np.stack([np.full(SHAPE[:2], depth, np.float32) for depth in DEPTHS.values()], axis=2)
    return octa, structure, PlaneStack(planes, AFFINE, SURFACES, "OD", "eye 3")


def cleaned(method: str, **changes: Any) -> NDArray:
    config = ArtefactConfig.model_validate({"method": method} | changes)
    return remove_artefacts(*eye(), config)[0].array


@pytest.mark.parametrize("method", METHODS)
def test_the_tail_goes_and_the_vessel_stays(method: str):
    before, after = eye()[0].array, cleaned(method)
    apart = (CAST[0], slice(14, 20))  # A-scans without the deep vessel
    assert after[(*apart, TAIL)].mean() < 0.2 * before[(*apart, TAIL)].mean()
    np.testing.assert_array_equal(after[(*CAST, VESSEL)], before[(*CAST, VESSEL)])


@pytest.mark.parametrize("method", METHODS)
def test_a_deeper_vessel_of_its_own_stays(method: str):
    before, after = eye()[0].array, cleaned(method)
    assert after[(*DEEPER, DEEP_VESSEL)].mean() > 0.75 * before[(*DEEPER, DEEP_VESSEL)].mean()


def test_zero_blackens_the_tail_and_leaves_the_deeper_vessel_as_it_is():
    before, after = eye()[0].array, cleaned("projection_resolved", removal="zero", ratio=0.5)
    assert not after[(*CAST, slice(42, 48))].any()
    np.testing.assert_array_equal(after[(*DEEPER, DEEP_VESSEL)], before[(*DEEPER, DEEP_VESSEL)])


def test_published_rule_keeps_successive_maxima_of_flow_over_reflectance():
    flow, bright = np.zeros((3, 2, 14), np.float32), np.zeros((3, 2, 14), np.float32)
    flow[..., 8:] = 4, 8, 2, 9, 16, 20
    bright[..., 8:] = 1, 1, 1, 1, 2, 2  # the ratio is 4, 8, 2, 9, 8, 10
    octa, structure = Volume(flow, np.eye(4), "OCTA"), Volume(bright, np.eye(4), "OCT")
    rule = {"method": "projection_resolved", "removal": "zero", "ratio": 1, "vessel_um": 0, "smoothing_um": 1}
    after = remove_artefacts(octa, structure, None, ArtefactConfig.model_validate(rule))[0].array
    np.testing.assert_array_equal(after[1, 1], [0] * 8 + [4, 8, 0, 9, 0, 20])


@pytest.mark.parametrize("method", METHODS)
def test_columns_without_signal_are_untouched(method: str):
    assert not cleaned(method)[SILENT].any()


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.uint8, (4, 3, 20)), arrays(np.uint8, (4, 3, 20)), st.sampled_from(METHODS), st.sampled_from(["C", "F"])
)
def test_no_voxel_becomes_brighter_or_negative(flow: NDArray, structure: NDArray, method: str, order: Any):
    affine = scan_affine(flow.shape, (0.2, 0.15, 0.2))
    octa, oct_scan = Volume(np.asarray(flow, order=order), affine, "OCTA"), Volume(structure, affine, "OCT")
    planes = np.broadcast_to(np.array([0.02, 0.05, 0.08, 0.1, 0.12, 0.15]), (4, 3, 6))
    config = ArtefactConfig.model_validate({"method": method})
    if np.array_equal(flow, structure):
        return
    surfaces = PlaneStack(planes, affine, SURFACES)
    after = remove_artefacts(octa, oct_scan, surfaces, config)[0].array
    assert after.dtype == flow.dtype
    assert after.shape == flow.shape
    assert (after <= flow).all()


@pytest.mark.parametrize("method", METHODS)
def test_whole_numbers_and_fractions_agree(method: str):
    octa, structure, surfaces = eye()
    config = ArtefactConfig.model_validate({"method": method})
    whole = remove_artefacts(octa, structure, surfaces, config)[0].array
    exact = remove_artefacts(octa.with_array(octa.array.astype(np.float32)), structure, surfaces, config)[0].array
    assert exact.min() >= 0
    np.testing.assert_allclose(whole, exact, atol=0.501)


def test_an_ascan_without_a_surface_stays_as_it_is():
    octa, structure, surfaces = eye()
    surfaces.array[5, 3, 1] = np.nan
    after = remove_artefacts(octa, structure, surfaces, ArtefactConfig(method="slab_subtraction"))[0].array
    np.testing.assert_array_equal(after[5, 3], octa.array[5, 3])
    assert (after[5, 4] < octa.array[5, 4]).any()


def test_a_given_weight_is_what_is_taken_away():
    after, before = cleaned("slab_subtraction", weight=0.1), eye()[0].array
    superficial = 60 * 3 / 15  # 3 of the 15 voxels of the slab
    np.testing.assert_allclose(after[5, 15, TAIL], before[5, 15, TAIL] - round(0.1 * superficial), atol=0)


def test_none_gives_the_scan_itself():
    octa, structure, surfaces = eye()
    assert remove_artefacts(octa, structure, surfaces, ArtefactConfig()) == (octa, None)


def test_what_is_missing_or_does_not_fit_is_refused():
    octa, structure, surfaces = eye()
    resolved, subtracted = (ArtefactConfig.model_validate({"method": method}) for method in METHODS)
    with pytest.raises(DataError, match=r"eye 3: there is no OCT scan.*supply it, or choose slab_subtraction"):
        remove_artefacts(octa, None, surfaces, resolved)
    with pytest.raises(DataError, match="what is given as its OCT scan is the OCTA scan itself"):
        remove_artefacts(octa, octa, surfaces, resolved)
    with pytest.raises(DataError, match=r"its OCT scan has \(23, 20, 60\) voxels"):
        remove_artefacts(octa, structure.with_array(structure.array[1:]), surfaces, resolved)
    with pytest.raises(DataError, match="mm large"):
        remove_artefacts(octa, structure.with_array(structure.array, 2 * AFFINE), surfaces, resolved)
    with pytest.raises(DataError, match="eye 3: slab_subtraction needs the surfaces"):
        remove_artefacts(octa, structure, None, subtracted)


def test_settings_that_would_have_no_effect_are_refused():
    with pytest.raises(ValidationError, match="weight"):
        ArtefactConfig(method="projection_resolved", weight=0.2)
    with pytest.raises(ValidationError, match="is for angiography, but modality is OCT"):
        ProcessingConfig(modality="OCT", projection_artefacts=ArtefactConfig(method="slab_subtraction"))


@pytest.mark.parametrize("method", METHODS)
def test_volume_and_maps_of_an_eye_are_made_without_tails_and_say_so(release: Octa500Release, method: str):
    subject = release.subjects()[0]
    plain = ProcessingConfig(grid=(16, 14, 48), with_oct=True)
    config = plain.model_copy(update={"projection_artefacts": ArtefactConfig.model_validate({"method": method})})
    before, after = (process_eye(release, subject, release.surfaces(subject), c) for c in (plain, config))
    assert before[VOLUME].facts[ARTEFACTS] is None
    for part in (VOLUME, ENFACE):
        assert after[part].facts[ARTEFACTS]["method"] == method
        assert 0 < after[part].facts[ARTEFACTS]["removed_share"] < 0.5
    outer = [made[ENFACE].item.plane("OPL_BM") for made in (before, after)]
    assert not np.allclose(*outer)
    for part in (OCT, LESION):
        np.testing.assert_array_equal(before[part].item.array, after[part].item.array)
    touched = {part for part in PARTS if config.settings_of(part) != plain.settings_of(part)}
    assert touched == {VOLUME, ENFACE}


def test_without_an_oct_scan_the_eye_and_the_parameter_are_named(release: Octa500Release, monkeypatch):
    subject = release.subjects()[0]
    monkeypatch.delitem(release.eyes[subject], "OCT")
    config = ProcessingConfig(projection_artefacts=ArtefactConfig(method="projection_resolved"))
    with pytest.raises(DataError, match=rf"eye {subject}: no OCT volume.*projection_artefacts.method"):
        process_eye(release, subject, release.surfaces(subject), config)
