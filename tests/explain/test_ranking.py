"""Order of blocks."""

import numpy as np

from octa_kedro.explain.ranking import Removal, random_rankings, rank_blocks


def test_blocks_are_ordered_by_the_mean_of_their_voxels_in_the_mask():
    heat, mask = np.zeros((4, 3, 5)), np.ones((4, 3, 5), bool)
    heat[:2, :2, 4:] = 1  # a block cut short by the border: 4 voxels
    heat[2:, 2:, :2] = 2
    heat[0, 0, 0] = 8  # by the mean, which counts ...
    heat[3, 2, 0] = 100
    mask[3, 2, 0] = False  # ... only what is inside
    ranking = rank_blocks(heat, mask, (2, 2, 2))
    assert ranking.place[2, 2, 0] == 0
    assert ranking.place[3, 2, 0] == -1
    assert {ranking.place[0, 0, 4], ranking.place[0, 0, 0]} == {1, 2}  # both 1
    np.testing.assert_array_equal(ranking.covered[:2], [0, 3])
    assert ranking.covered[-1] == 59


def test_the_first_share_is_whole_blocks():
    ranking = rank_blocks(np.arange(24.0).reshape(2, 3, 4), np.ones((2, 3, 4), bool), (2, 1, 1))
    chosen, share = ranking.first(0.5)
    assert (chosen.sum(), share) == (12, 0.5)
    assert chosen[:, 2].all()
    assert ranking.first(0.51)[0].sum() == 14
    assert ranking.first(0)[0].sum() == 0
    assert ranking.first(1)[0].all()


def test_reversed_begins_with_the_least():
    heat = np.random.default_rng(0).random((3, 4, 5))
    ranking = rank_blocks(heat, heat > 0.2, (2, 2, 2))
    back = ranking.reversed()
    half = int(np.searchsorted(back.covered, 0.5 * back.covered[-1]))
    first, share = back.first(0.5)
    assert first.sum() == back.covered[half]
    rest, _ = ranking.first(1 - share)
    np.testing.assert_array_equal(first | rest, heat > 0.2)
    assert not (first & rest).any()


def test_draws_differ_and_can_be_repeated():
    mask = np.ones((4, 6, 8), bool)
    one, other = random_rankings(mask, Removal((2, 2, 2), draws=2))
    assert (one.place != other.place).any()
    again, _ = random_rankings(mask, Removal((2, 2, 2), draws=2))
    np.testing.assert_array_equal(one.place, again.place)
