"""Grey levels clipped at percentiles and scaled."""

import numpy as np
import pytest
from pydantic import ValidationError

from octa_kedro.errors import DataError
from octa_kedro.preprocessing.intensity import clip_and_scale, percentiles
from octa_kedro.preprocessing.intensity_config import IntensityConfig

# Non-zero values 1 .. 100: percentiles 5 and 95 are 5.95 and 95.05.
RAMP = np.concatenate([np.zeros(50), np.arange(1, 101)])
CUT = {"lower": 5, "upper": 95}


def test_below_the_lower_percentile_is_zero_as_in_the_original():
    result = clip_and_scale(RAMP, IntensityConfig(**CUT), what="eye")
    assert (result[: 50 + 5] == 0).all()
    assert result[50 + 5] == pytest.approx(6 / 95.05)
    assert result[50 + 94] == pytest.approx(95 / 95.05)
    assert (result[-5:] == 1).all()


def test_below_may_take_the_lower_value_so_that_greys_have_no_step():
    result = clip_and_scale(RAMP, IntensityConfig(**CUT, below="lower"), what="eye")
    assert (result[: 50 + 5] == 0).all()
    assert result[50 + 5] == pytest.approx((6 - 5.95) / (95.05 - 5.95), abs=1e-6)
    assert (result[-5:] == 1).all()


def test_z_scores_are_stored_between_0_and_1():
    # Of 8 non-zero values half are 1 and half 3: mean 2, deviation 1; a zero is 2 deviations below.
    array = np.array([0, 1, 1, 1, 1, 3, 3, 3, 3], np.uint8)
    config = IntensityConfig(lower=0, upper=100, scale="zscore", sd_range=4)
    result = clip_and_scale(array, config, what="eye")
    np.testing.assert_allclose(result, [0.5 - 2 / 8] + [0.5 - 1 / 8] * 4 + [0.5 + 1 / 8] * 4, rtol=1e-6)
    cut = clip_and_scale(array, config.model_copy(update={"sd_range": 1.0}), what="eye")
    np.testing.assert_allclose(cut, [0] + [0] * 4 + [1] * 4, atol=1e-6)


def test_a_mask_chooses_what_the_percentiles_are_taken_of():
    array = np.array([0.0, 2.0, 4.0, 1000.0])
    mask = np.array([True, True, True, False])
    result = clip_and_scale(array, IntensityConfig(lower=0, upper=100), what="eye", mask=mask)
    np.testing.assert_allclose(result, [0, 0.5, 1, 1])
    with pytest.raises(DataError, match=r"eye 7: a mask of shape \(3,\)"):
        clip_and_scale(array, IntensityConfig(), what="eye 7", mask=mask[:3])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full(10, np.nan), "NaN"),
        (np.array([1.0, np.inf]), "infinite"),
        (np.zeros(10), "empty"),
        (np.zeros(0), "empty"),
        (np.full(10, 4.0), "constant"),
    ],
)
@pytest.mark.parametrize("scale", ["minmax", "zscore"])
def test_unusable_grey_levels_name_the_eye(array: np.ndarray, words: str, scale: str):
    with pytest.raises(DataError, match=f"eye 7.*{words}"):
        clip_and_scale(array, IntensityConfig(scale=scale), what="eye 7")


def test_an_empty_mask_names_the_eye():
    with pytest.raises(DataError, match=r"eye 7.*mask"):
        clip_and_scale(np.arange(4.0), IntensityConfig(), what="eye 7", mask=np.zeros(4, bool))


def test_percentiles_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="lower"):
        IntensityConfig(lower=99, upper=5)


def test_input_is_left_as_it_is():
    array = np.arange(1, 20, dtype=np.float32)
    clip_and_scale(array, IntensityConfig(), what="eye")
    np.testing.assert_array_equal(array, np.arange(1, 20))


def volumes() -> dict[str, np.ndarray]:
    """Grey levels of the kinds that occur: many zeros, ties, planes that a regular sample would miss."""
    rng = np.random.default_rng(0)
    scan = rng.gamma(0.4, 6, (64, 96, 128)).astype(np.float32)
    scan[:, :, 90:] = 0
    planes = np.zeros((64, 64, 64), np.float32)
    planes[..., 3::16] = 7 + rng.random((64, 64, 4), np.float32)
    return {
        "scan": scan,
        "bytes": scan.astype(np.uint8),
        "words": (100 * scan).astype(np.uint16),
        "integers": (100 * scan).astype(np.int32),
        "ties": np.rint(scan),
        "planes": planes,
        "negative": rng.standard_normal((40, 50, 60)),
        "sorted": np.sort(scan.ravel()),
        "few": np.array([0.0, 3.0, 8.0]),
        "one": np.array([5.0]),
    }


@pytest.mark.parametrize("name", volumes())
@pytest.mark.parametrize("order", ["C", "F"])
def test_percentiles_are_exact(name: str, order: str):
    array = np.asarray(volumes()[name], order=order)
    percents = (0, 0.01, 5, 50, 99.9, 100)
    np.testing.assert_allclose(percentiles(array, percents), np.percentile(array.astype(float), percents), rtol=1e-12)
    if array.min() >= 0:
        expected = np.percentile(array[array > 0].astype(float), percents)
        np.testing.assert_allclose(percentiles(array, percents, skip_zeros=True), expected, rtol=1e-12)


def test_nothing_has_no_percentiles():
    assert np.isnan(percentiles(np.zeros(5), (5, 95), skip_zeros=True)).all()


@pytest.mark.parametrize("name", ["scan", "bytes", "ties", "planes"])
def test_same_as_the_original_formula(name: str):
    array = volumes()[name]
    low, high = np.percentile(array[array != 0], [5, 99.9])
    expected = np.where(array < low, 0, np.where(array > high, high, array))
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    result = clip_and_scale(array, IntensityConfig(), what="eye")
    np.testing.assert_allclose(result, expected, atol=1e-6)
