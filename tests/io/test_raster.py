"""How B-scans lie, from the positions of their ends."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octa_kedro.errors import DataError
from octa_kedro.io.raster import lay_out, require_volume

EYE = Path("eye.vol")


def ends(n: int = 6, *, vertical: bool = False, length: float = 3.0, distance: float = 0.5, turn: float = 0.0):
    """Starts and ends of n B-scans, the first at the top or the left; `turn` in degrees around the centre."""
    at = np.arange(n) * distance
    zero, full = np.zeros(n), np.full(n, length)
    starts = np.stack([zero, at], 1) if not vertical else np.stack([at, zero], 1)
    stops = np.stack([full, at], 1) if not vertical else np.stack([at, full], 1)
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return starts @ rotation, stops @ rotation


@settings(max_examples=25)
@given(st.permutations(range(7)), st.booleans(), st.booleans(), st.floats(0.01, 2), st.floats(-1, 1))
def test_any_order_and_direction_comes_out_upright(
    shuffled: list[int], vertical: bool, backwards: bool, distance: float, turn: float
):
    length, n = 5 * distance, len(shuffled)
    starts, stops = ends(n, vertical=vertical, length=length, distance=distance, turn=turn)
    starts, stops = starts[shuffled], stops[shuffled]
    raster = lay_out(EYE, *((stops, starts) if backwards else (starts, stops)))
    assert raster.vertical == vertical
    placed = [shuffled[index] for index in raster.order]
    assert placed == (list(range(n)) if vertical else list(range(n))[::-1])  # left to right; from the lower edge
    assert (raster.distance, raster.length) == pytest.approx((distance, length), rel=1e-3)
    # Vertical B-scans of the picture run downwards, so that those taken upwards are the ones from inferior.
    assert raster.backwards == (backwards != vertical)


def test_a_stack_is_turned_to_x_y_z():
    stack = np.arange(24).reshape(2, 3, 4)  # B-scan, depth, A-scan
    across = lay_out(EYE, *ends(2))
    np.testing.assert_array_equal(across.upright(stack)[3, 1, 2], stack[1, 2, 3])
    down = lay_out(EYE, *ends(2, vertical=True))
    np.testing.assert_array_equal(down.upright(stack)[1, 0, 2], stack[1, 2, 3])  # the lowest A-scan is y = 0


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ((np.zeros((3, 2)), np.zeros((3, 2))), "does not say where its B-scans lie"),
        (
            (np.cos([[0, 1.57], [1, 0.57], [2, 0.43]]), -np.cos([[0, 1.57], [1, 0.57], [2, 0.43]])),
            "star .radial. scan of 3",
        ),
        ((ends()[0][[0, 0, 0]], ends()[1][[0, 0, 0]]), "line scan: its 3 B-scans lie at one place"),
        ((ends()[0][[0, 1, 1, 2]], ends()[1][[0, 1, 1, 2]]), "B-scans 2 and 3 lie at the same place"),
        (ends(turn=8), "slanted by 8 degrees"),
        (ends(turn=45), "slanted by 45 degrees"),
        ((np.array([[0, 0], [1.0, 0]]), np.array([[0, 3], [3.0, 2]])), "not parallel, as in a star"),
        ((np.array([[0, 0], [3.0, 1]]), np.array([[3.0, 0], [0, 1]])), "alternating directions"),
        ((ends()[0][[0, 1, 3]], ends()[1][[0, 1, 3]]), "no equal distance"),
        ((ends()[0][[0, 0, 0]], ends()[1][[0, 0, 0]]), "no equal distance"),
        ((ends()[0] + np.outer(np.arange(6), [0.4, 0]), ends()[1] + np.outer(np.arange(6), [0.4, 0])), "at one edge"),
    ],
)
def test_what_is_no_regular_raster_is_refused(positions: tuple[np.ndarray, np.ndarray], words: str):
    with pytest.raises(DataError, match=rf"eye\.vol: .*{words}"):
        lay_out(EYE, *positions)


def test_positions_that_are_rounded_to_whole_units_are_equal_in_distance():
    starts, stops = ends(9, length=20, distance=1.7)
    raster = lay_out(EYE, np.rint(starts), np.rint(stops), rounded=0.51)
    assert raster.distance == pytest.approx(1.7, abs=0.1)
    with pytest.raises(DataError, match="no equal distance"):
        lay_out(EYE, np.rint(starts), np.rint(stops))


def test_unequal_lengths_are_refused():
    starts, stops = ends()
    stops[2, 0] += 1
    with pytest.raises(DataError, match=r"no equal length \(from 3 to 4\)|at one edge"):
        lay_out(EYE, starts, stops)


@pytest.mark.parametrize(("ascans", "bscans", "words"), [(1024, 5, "line scan of 5 B-scans"), (9, 1, "single B-scan")])
def test_line_scans_are_named_as_that(ascans: int, bscans: int, words: str):
    with pytest.raises(DataError, match=words):
        require_volume(EYE, ascans, bscans)
