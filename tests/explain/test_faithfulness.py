"""Deletion, insertion and ROAD where it is known which voxels count."""

import numpy as np
import pytest
import torch

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain.faithfulness import Scorer, judge_road, judge_swaps, swap_curve
from octa_kedro.explain.ranking import Removal, rank_blocks
from tests.explain.planted import BOX, SHAPE, Planted, planted_eye

EVERYWHERE = np.ones(SHAPE, bool)
REMOVAL = Removal(block=(2, 4, 4), draws=4)


@pytest.fixture
def heats() -> dict[str, np.ndarray]:
    perfect = np.zeros(SHAPE, np.float32)
    perfect[BOX] = 1
    return {"perfect": perfect, "opposite": -perfect}


def test_deletion_and_insertion_reward_the_right_map(heats: dict[str, np.ndarray]):
    image, scorer = planted_eye(), Scorer(Planted(), 1)
    table = judge_swaps(scorer, image, torch.full_like(image, 0.3), heats, EVERYWHERE, removal=REMOVAL)
    table = table.set_index("method")
    # the box is a thirtieth of the volume, so all evidence is gone (or back) by the first of ten steps
    assert table.loc["perfect", "deletion_gain"] > 0.3
    assert table.loc["perfect", "insertion_gain"] > 0.3
    assert table.loc["opposite", "deletion_gain"] < -0.3
    assert table.loc["opposite", "insertion_gain"] < -0.3
    assert table.loc["random", "deletion_gain"] == 0
    low, high = table.loc["perfect", ["score_replacement", "score_image"]]
    assert (high, low) == (pytest.approx(0.8, abs=1e-5), pytest.approx(-0.6, abs=1e-5))  # 2 (1 - .6), 2 (.3 - .6)
    assert scorer.passes == 2 + 9 * 4 + 2 * 9 * 2


def test_without_evidence_there_is_no_gain(heats: dict[str, np.ndarray]):
    image = planted_eye()
    table = judge_swaps(Scorer(Planted(), 0), image, torch.full_like(image, 0.3), heats, EVERYWHERE, removal=REMOVAL)
    assert table.set_index("method")["deletion_gain"].drop("random").isna().all()


def test_the_curve_by_hand():
    image = planted_eye()
    mask = np.zeros(SHAPE, bool)
    mask[BOX] = True  # two blocks of 4 x 4 x 4
    heat = np.zeros(SHAPE)
    heat[:, :, 8:12] = 1
    end = torch.where(torch.from_numpy(mask), 0.0, image)
    curve = swap_curve(Scorer(Planted(), 1), image, end, rank_blocks(heat, mask, (4, 4, 4)), steps=2)
    np.testing.assert_allclose(curve.share, [0, 0.5, 1])
    np.testing.assert_allclose(curve.score, [0.8, -0.2, -1.2], atol=1e-6)
    assert curve.auc == pytest.approx(-0.2, abs=1e-6)


def test_road_rewards_the_right_map(heats: dict[str, np.ndarray]):
    scorer = Scorer(Planted(), 1, batch=3)
    table = judge_road(scorer, planted_eye(), heats, EVERYWHERE, removal=REMOVAL).set_index("method")
    assert table.loc["perfect", "road"] > 0.3
    assert table.loc["opposite", "road"] < -0.3
    assert table.loc["perfect", "road_gain"] > 0.2
    assert table.loc["perfect", "least_first"] == pytest.approx(0.8, abs=0.01)  # nothing that counts was touched
    assert scorer.passes == 1 + 10 * 4 + 10 * 2


def test_what_lies_outside_the_mask_stays(heats: dict[str, np.ndarray]):
    image, mask = planted_eye(), EVERYWHERE.copy()
    mask[BOX] = False
    table = judge_swaps(Scorer(Planted(), 1), image, image * 0, heats, mask, removal=REMOVAL)
    np.testing.assert_allclose(table["deletion_auc"], 0.8, atol=1e-5)
    road = judge_road(Scorer(Planted(), 1), image, heats, mask, removal=REMOVAL)
    np.testing.assert_allclose(road["most_first"], 0.8, atol=1e-5)


def test_a_probability_can_be_scored_and_the_model_keeps_its_mode():
    model = Planted().train()
    score = Scorer(model, 1, kind="probability")([planted_eye()])[0]
    assert score == pytest.approx(1 / (1 + np.exp(-0.8)), abs=1e-5)
    assert model.training


def test_bad_input_is_refused(heats: dict[str, np.ndarray]):
    image, scorer = planted_eye(), Scorer(Planted(), 1)
    with pytest.raises(ConfigError, match="target class 2"):
        Scorer(Planted(), 2)([image])
    with pytest.raises(ConfigError, match="0 < share < 1"):
        judge_road(scorer, image, heats, EVERYWHERE, shares=(0.5, 1.0))
    with pytest.raises(DataError, match="make it on the same grid"):
        judge_swaps(scorer, image, image * 0, {"cropped": heats["perfect"][1:]}, EVERYWHERE)
    with pytest.raises(DataError, match="not finite"):
        judge_swaps(scorer, image, image * 0, {"broken": heats["perfect"] * np.nan}, EVERYWHERE)
