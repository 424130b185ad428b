"""A supplied en-face map is recognised in each of the eight ways it can lie on its volume."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.release import Octa500Release
from octa_kedro.preprocessing.orientation import ORIENTATIONS, STATED, check_orientation, require_oriented
from tests.conftest import SHARED

WRONG = [name for name in ORIENTATIONS if name != STATED]
# What undoes each orientation: only the two quarter turns are not their own inverse.
QUARTER = ("x and y exchanged, then x reversed", "x and y exchanged, then y reversed")
INVERSE = {name: name for name in ORIENTATIONS} | {QUARTER[0]: QUARTER[1], QUARTER[1]: QUARTER[0]}


def eye_of(release: Octa500Release, laterality: str) -> str:
    return next(s for s in release.subjects() if release.volume(s, "OCTA").laterality == laterality)


def projections(release: Octa500Release, subject: str) -> tuple[np.ndarray, np.ndarray]:
    return release.volume(subject, "OCTA").array.mean(axis=2), release.projection(subject, "OCTA(ILM_OPL)")


@pytest.mark.parametrize("laterality", ["OD", "OS"])
def test_a_phantom_eye_lies_as_stated(release: Octa500Release, laterality: str):
    projection, supplied = projections(release, eye_of(release, laterality))
    report = require_oriented(projection, supplied, what="map")
    assert report.best == STATED
    assert not report.warning


@pytest.mark.parametrize("laterality", ["OD", "OS"])
@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_orientation_of_a_phantom_eye_is_refused(release: Octa500Release, name: str, laterality: str):
    projection, supplied = projections(release, eye_of(release, laterality))
    with pytest.raises(DataError, match=rf"eye 7: agrees .* when {INVERSE[name]} \(r = 0\.\d+\), not as stated"):
        require_oriented(projection, ORIENTATIONS[name](supplied), what="eye 7")


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_maps_of_another_size_are_compared_on_the_volumes_grid(name: str):
    coarse = np.random.default_rng(0).random((12, 9))
    fine = np.kron(coarse, np.ones((3, 4)))
    report = check_orientation(fine, ORIENTATIONS[name](coarse), what="map")
    assert report.best == INVERSE[name]
    assert report.correlations[report.best] > 0.8
    # The other way the fine map is averaged over whole blocks, which gives the coarse one back.
    back = check_orientation(coarse, ORIENTATIONS[name](fine), what="map")
    assert back.correlations[INVERSE[name]] == pytest.approx(1, abs=1e-6)


def test_correlations_by_hand():
    projection = np.array([[1.0, 2], [3, 4]])
    report = check_orientation(projection, projection, what="map")
    # Deviations (-1.5, -.5, .5, 1.5), sum of squares 5; x reversed is (.5, 1.5, -1.5, -.5): products sum to -3.
    assert report.correlations[STATED] == pytest.approx(1)
    assert report.correlations["x reversed"] == pytest.approx(-3 / 5)
    assert report.correlations["y reversed"] == pytest.approx(3 / 5)
    assert report.correlations["x and y reversed"] == pytest.approx(-1)
    assert report.correlations["x and y exchanged"] == pytest.approx(4 / 5)


def test_what_agrees_nowhere_or_shows_nothing_is_a_warning_and_no_error():
    rng = np.random.default_rng(1)
    report = require_oriented(rng.random((60, 60)), rng.random((60, 60)), what="map 3")
    assert "map 3: agrees with the volume's projection in no orientation" in report.warning
    constant = require_oriented(rng.random((6, 6)), np.zeros((6, 6)), what="map 4")
    assert np.isnan(constant.correlations[STATED])
    assert "map 4: a constant map" in constant.warning


def test_a_symmetric_map_is_no_mismatch():
    x = np.linspace(-1, 1, 40)
    bowl = x[:, None] ** 2 + x[None, :] ** 2
    noisy = bowl + np.random.default_rng(2).normal(0, 0.05, bowl.shape)
    assert require_oriented(noisy, bowl, what="map").agrees


@pytest.mark.parametrize("bad", [np.full((4, 4), np.nan), np.ones((4, 4, 2))])
def test_what_is_no_map_is_refused(bad: np.ndarray):
    with pytest.raises(DataError, match="map 5: an en-face map"):
        check_orientation(np.ones((4, 4)), bad, what="map 5")


def test_the_real_eye_lies_as_stated_by_a_wide_margin(tmp_path: Path):
    archive = SHARED / "octa500_10225.zip"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there (set OCTA_SHARED_DATA)")
    shutil.unpack_archive(archive, tmp_path)
    projection, supplied = projections(Octa500Release(tmp_path), "10225")
    report = require_oriented(projection, supplied, what="10225")
    assert report.correlations[STATED] == pytest.approx(0.711, abs=0.001)
    assert max(report.correlations[name] for name in WRONG) < 0.07
    for name in WRONG:
        with pytest.raises(DataError, match="10225"):
            require_oriented(projection, ORIENTATIONS[name](supplied), what="10225")
