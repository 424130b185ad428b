"""Whether an eye looks like those that a network learnt from."""

import math

import numpy as np
import pytest

from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.appearance import LOOKS, NATIVE, measure_looks, measure_native
from octa_kedro.training.familiar import Familiar, familiar_from


def volume(seed: int, *, bright: float = 1.0, shift: int = 0) -> Volume:
    """Noise with a bright band, a little different for every seed."""
    rng = np.random.default_rng(seed)
    array = rng.random((12, 12, 64)).astype(np.float32) * 0.3 * bright
    array[:, :, 20 + shift : 30 + shift] += 0.4 * bright * rng.uniform(0.9, 1.1)
    return Volume(array, scan_affine(array.shape, (3.0, 3.0, 0.8)), "OCTA")


def facts(image: Volume, signal_db: float = 20.0) -> dict:
    return {LOOKS: measure_looks(image), NATIVE: measure_native(image), "quality": {"signal_db": signal_db}}


@pytest.fixture(scope="module")
def familiar() -> Familiar:
    found = familiar_from([facts(volume(seed), 20 + 0.2 * seed) for seed in range(12)])
    assert found is not None
    return found


def strange(familiar: Familiar, of: dict) -> set[str]:
    return {name for name, value in familiar.strangeness(of).items() if value > 1}


def test_an_eye_like_the_training_eyes_is_familiar(familiar: Familiar):
    assert not any(strange(familiar, facts(volume(seed))) for seed in range(100, 120))


def test_darker_grey_levels_are_strange(familiar: Familiar):
    assert "grey levels" in strange(familiar, facts(volume(100, bright=0.5)))


def test_a_retina_at_another_depth_is_strange_though_its_grey_levels_are_not(familiar: Familiar):
    assert strange(familiar, facts(volume(100, shift=12))) == {"depth profile"}


def test_a_measure_far_outside_the_training_range_is_strange(familiar: Familiar):
    assert strange(familiar, facts(volume(100), signal_db=12.0)) == {"signal_db"}
    assert not strange(familiar, facts(volume(100), signal_db=math.nan))


def test_another_field_of_view_and_spacing_are_strange(familiar: Familiar):
    eye = facts(volume(100)) | {NATIVE: {"spacing_x_mm": 0.5, "field_x_mm": 6.0}}
    assert strange(familiar, eye) == {"spacing_x_mm", "field_x_mm"}


def test_an_eye_without_facts_is_strange(familiar: Familiar):
    assert strange(familiar, {}) == {"grey levels", "depth profile"}


def test_a_2d_network_knows_the_slabs_that_it_sees():
    def planes(seed: int, dark: float = 1.0) -> dict:
        array = np.random.default_rng(seed).random((16, 16, 2)).astype(np.float32)
        array[..., 1] *= dark
        return {LOOKS: measure_looks(PlaneStack(array, np.eye(4), ("ILM_OPL", "OPL_BM"), "OD", "eye"))}

    seen = [planes(seed) for seed in range(8)]
    first, second = (familiar_from(seen, slabs) for slabs in (("ILM_OPL",), ("OPL_BM",)))
    assert first is not None
    assert second is not None
    other = planes(100, dark=0.3)
    assert strange(first, other) == set()
    assert strange(second, other) == {"grey levels of OPL_BM"}


def test_what_is_not_recorded_is_not_known():
    assert familiar_from([{}] * 12) is None
    assert familiar_from([facts(volume(seed)) for seed in range(3)]) is None


def test_the_depth_profile_runs_from_the_surface_down():
    array = np.zeros((4, 4, 64), np.float32)
    array[..., 6:8] = 1
    profile = measure_looks(Volume(array, np.eye(4), "OCTA"))["depth profile"]
    assert profile.index(1.0) == 3
    assert sum(profile) == 1
