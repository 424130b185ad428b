from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from octa_kedro.phantom.band import Band
from octa_kedro.phantom.eye_config import SignalConfig
from octa_kedro.phantom.reflectivity import VITREOUS, layer_brightness, render_oct
from tests.phantom.slab_eye import BESIDE, LATERAL, VESSEL, clear_media, flat_band, vessels

EVEN: dict[str, Any] = {
    "oct_noise_sd": (7.0, 7.0),
    "oct_contrast": (1.0, 1.0),
    "roll_off_per_mm": (0.0, 0.0),
    "shadow": (15.0, 15.0),
}
"""A scanner whose draws are fixed, so that two scans differ in what a test changes."""


def scan(band: Band | None = None, seed: int = 0, **changes: Any) -> NDArray:
    band = band or flat_band()
    config = SignalConfig().model_copy(update=EVEN | changes)
    rng, grey, large = np.random.default_rng(seed), layer_brightness(band), vessels().large
    return render_oct(rng, band, grey, large=large, transmission=clear_media(), config=config).astype(float)


def layer(made: NDArray, top: int, bottom: int, band: Band | None = None, margin_um: float = 4.0) -> NDArray:
    """Means (X, Y) of a layer of a flat retina."""
    step, s = flat_band().grid.voxel_um[2], (band or flat_band()).surfaces_um
    z = (np.arange(made.shape[2]) + 0.5) * step
    inside = (z > s[top][..., None] + margin_um) & (z < s[bottom][..., None] - margin_um)
    return (made * inside).sum(2) / inside.sum(2)


def test_layers_are_as_bright_as_their_tissue():
    made = scan()[BESIDE].mean((0, 1))
    band = flat_band()
    step, s = band.grid.voxel_um[2], band.surfaces_um[:, 0, 0]

    def between(top_um: float, bottom_um: float) -> float:
        return float(made[int(np.ceil(top_um / step)) : int(bottom_um / step)].mean())

    nuclear, epithelium = between(s[2] + 10, s[3] - 10), between(s[4] + 2, s[5] - 2)
    vitreous = between(0, s[0] - 30)
    ganglion, inner_nuclear = between(s[0] + 30, s[1] - 10), between(s[1] + 6, s[1] + 30)
    assert vitreous < nuclear < inner_nuclear < ganglion < epithelium


@pytest.mark.parametrize("seed", range(3))
def test_vitreous_keeps_its_grey_whatever_the_contrast(seed: int):
    made = scan(seed=seed, oct_contrast=(0.6, 0.6))[:, :, :80]
    assert made.mean() == pytest.approx(VITREOUS, abs=1)
    assert 5 < made.std() < 9


def test_shadow_of_a_large_vessel_is_dark():
    below = layer(scan(), 3, 5)
    assert below[VESSEL].mean() < below[BESIDE].mean() - 5
    above = layer(scan(), 0, 1, margin_um=0)
    assert abs(above[VESSEL].mean() - above[BESIDE].mean()) < 5


def test_more_contrast_is_brighter():
    low, high = (layer(scan(oct_contrast=(c, c)), 3, 5).mean() - VITREOUS for c in (0.6, 1.0))
    assert 0.5 < low / high < 0.7


def test_roll_off_dims_what_lies_deeper():
    slope = flat_band(deeper_um=np.linspace(0, 400, LATERAL, dtype=np.float32)[:, None] * np.ones(LATERAL, np.float32))
    plain, rolled = (layer(scan(slope, roll_off_per_mm=(r, r)), 3, 5, slope) - VITREOUS for r in (0.0, 0.5))
    kept = rolled / plain
    assert kept[-10:].mean() < 0.93 * kept[:10].mean()


def test_roll_off_dims_a_deeper_retina():
    shallow, deep = (flat_band(deeper_um=um) for um in (0.0, 500.0))
    signal = [layer(scan(b, roll_off_per_mm=(0.4, 0.4)), 3, 5, b)[BESIDE].mean() - VITREOUS for b in (shallow, deep)]
    assert signal[1] < 0.9 * signal[0]


def test_choroid_fades_away():
    made, band = scan(), flat_band()
    step, bottom = band.grid.voxel_um[2], float(band.surfaces_um[5, 0, 0])
    near, far = (made[..., int((bottom + um) / step) : int((bottom + um + 40) / step)].mean() for um in (15, 260))
    assert near > far + 10
    assert abs(far - VITREOUS) < 6


def test_grey_values_stay_in_a_byte():
    made = scan(oct_contrast=(3.0, 3.0), oct_noise_sd=(30.0, 30.0))
    assert made.min() == 0
    assert made.max() == 255


def test_speckle_of_the_same_eye_differs_between_scans():
    np.testing.assert_array_equal(scan(seed=3), scan(seed=3))
    assert (scan(seed=3) != scan(seed=4)).mean() > 0.8


def test_grain_is_longer_than_a_voxel_in_depth_only():
    noise = scan()[:, :, :100] - VITREOUS
    across, along = (
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in ((noise[1:], noise[:-1]), (noise[..., 1:], noise[..., :-1]))
    )
    # voxels are 75 um wide, far wider than the grain, and 6 um deep
    assert abs(across) < 0.05 < along
