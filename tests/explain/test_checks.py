"""Checks of maps on a few eyes: which eyes, which tables, and what they conclude."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from octa_kedro.explain import checked_cohort
from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.checked_cohort import CASCADE, EYES, EYES_AND_NETWORKS, NETWORKS
from octa_kedro.explain.checks import BLUR, DONOR, ROAD, map_of_network, prepare_eye
from octa_kedro.explain.checks_figure import randomisation_figure
from octa_kedro.explain.checks_text import conclude_faithfulness, conclude_sanity, format_checks
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.faithfulness import RANDOM
from octa_kedro.explain.summary import Bootstrap
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.training.checkpoint import Checkpoint
from tests.explain.test_draw_maps import keep
from tests.explain.test_patches import checkpoint

SHAPE = (24, 20, 32)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 1.0))
CONFIG = ExplainConfig(device="cpu", checked_eyes=2, steps=1)
METHOD = CONFIG.settled(donors=False).method_3d
DRAW = Bootstrap(resamples=200)


def predictions(**changes: object) -> pd.DataFrame:
    n = 12
    table = {
        "model": "net", "subject": [str(k) for k in range(n)], "part": "held_out", "disease": ["CNV", "DR"] * 6,
        "target": 1, "probability": 0.9,
    }  # fmt: skip
    return pd.DataFrame(table | changes)


def eye(seed: int) -> Volume:
    array = np.random.default_rng(seed).random(SHAPE, np.float32)
    return Volume(array, AFFINE, "OCTA", "OD", f"eye {seed}")


def surfaces() -> PlaneStack:
    planes = np.stack([np.full(SHAPE[:2], depth, np.float32) for depth in (0.2, 0.5, 0.8)], axis=2)
    return PlaneStack(planes, AFFINE, ("ILM", "OPL_ONL", "BM"), "OD", "surfaces")


def network(fold: int) -> Checkpoint:
    torch.manual_seed(fold)
    settings = ModelConfig(name="resnet10", widths=(4, 4, 8, 8))
    return Checkpoint(build_model(settings).state_dict(), checkpoint(fold=fold, model=settings, slabs=()).card)


def test_the_sample_is_of_correct_held_out_eyes_of_every_disease_and_always_the_same():
    table = predictions(part=["out_of_fold"] * 2 + ["held_out"] * 10, probability=[0.9] * 4 + [0.1] * 2 + [0.9] * 6)
    chosen = checked_cohort.sample_eyes(table, CONFIG, 1, 0.5)
    assert chosen["disease"].value_counts().to_dict() == {"CNV": 2, "DR": 2}
    assert not set(chosen["subject"]) & {"0", "1", "4", "5"}
    again = checked_cohort.sample_eyes(table.sample(frac=1, random_state=1), CONFIG, 1, 0.5)
    assert again["subject"].tolist() == chosen["subject"].tolist()
    everything = checked_cohort.sample_eyes(table, CONFIG.model_copy(update={"checked_eyes": 99}), 1, 0.5)
    assert len(everything) == 8
    assert checked_cohort.sample_eyes(table, CONFIG.model_copy(update={"checked_eyes": 0}), 1, 0.5).empty
    assert checked_cohort.sample_eyes(table.assign(target=0), CONFIG, 1, 0.5).empty


NOBODY = pd.DataFrame({"subject": ["0"], "held_out": [True], "target": [1]})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two networks, three eyes, of which the last has no surfaces, and a healthy development eye."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("eyes")
    rows = predictions().head(3).assign(patient=["p", "p", "q"])
    images = {str(n): keep(folder, f"eye_{n}", eye(n)) for n in (0, 1, 2, 9)}
    around = {name: keep(folder, f"surfaces_{name}", surfaces()) for name in ("0", "1", "9")}
    splits = pd.DataFrame(
        {"subject": ["0", "1", "2", "9"], "held_out": [True, True, True, False], "target": [1, 1, 1, 0]}
    )
    return checked_cohort.check_maps(rows, images, around, splits, checkpoints=[network(1), network(2)], config=CONFIG)


def test_a_donor_of_the_maps_does_not_take_the_place_of_the_tissue(tmp_path: Path):
    images = {str(n): keep(tmp_path, f"eye_{n}", eye(n)) for n in (0, 8, 9)}
    around = {name: keep(tmp_path, f"surfaces_{name}", surfaces()) for name in images}
    splits = pd.DataFrame({"subject": [*images], "held_out": [True, False, False], "target": [1, 0, 0]})

    def replaced(donors: int) -> set[str]:
        config = CONFIG.model_copy(update={"method_3d": "donor_gradients", "donors": donors})
        explainer = Explainer(network(1), config)
        contexts = checked_cohort.CheckedContexts(images, around, splits, explainer)
        return set(contexts.prepare("0", eye(0), explainer, 1).replacements)

    assert replaced(1) == {BLUR, DONOR}
    assert replaced(2) == {BLUR}


def test_faithfulness_has_every_test_of_every_eye(tables: tuple[pd.DataFrame, pd.DataFrame]):
    table = tables[0]
    tests = table.groupby("subject")["test"].agg(set)
    assert tests["0"] == {BLUR, DONOR, ROAD}
    assert tests["2"] == {BLUR, ROAD}  # nothing tells how a donor would have to be warped
    assert set(table["method"]) == {METHOD, checked_cohort.BRIGHTNESS, RANDOM}
    assert table.groupby("subject")["patient"].first().to_dict() == {"0": "p", "1": "p", "2": "q"}
    assert table.loc[table["test"] == ROAD, "road_gain"].notna().all()
    assert table.loc[table["test"] == BLUR, "deletion_auc"].notna().all()


def test_sanity_has_every_comparison_with_its_null(tables: tuple[pd.DataFrame, pd.DataFrame]):
    table = tables[1]
    sizes = table["comparison"].value_counts().to_dict()
    assert sizes == {CASCADE: 3 * 3, NETWORKS: 3, EYES: 3, EYES_AND_NETWORKS: 6}
    trained = table[(table["comparison"] == CASCADE) & (table["level"] == 0)]
    assert trained["spearman"].to_numpy() == pytest.approx(1)
    assert table.loc[table["comparison"] == NETWORKS, ["first", "second"]].to_numpy().tolist() == [[1, 2]] * 3
    last = table[(table["comparison"] == CASCADE) & (table["level"] == 2)]
    assert (last["spearman"] < 0.9).all()


def test_without_eyes_there_are_empty_tables_and_a_text_that_says_why():
    nothing = checked_cohort.check_maps(predictions().head(0), {}, {}, NOBODY, checkpoints=[network(1)], config=CONFIG)
    assert [table.empty for table in nothing] == [True, True]
    assert "not checked" in format_checks(*nothing, DRAW, title="3D network")
    assert randomisation_figure(nothing[1], DRAW, title="3D network").axes


def test_one_eye_and_one_network_have_no_null(tmp_path: Path):
    images = {"0": keep(tmp_path, "0", eye(0))}
    faithfulness, sanity = checked_cohort.check_maps(
        predictions().head(1), images, {}, NOBODY, checkpoints=[network(1)], config=CONFIG
    )
    assert set(sanity["comparison"]) == {CASCADE}
    text = format_checks(faithfulness, sanity, DRAW, title="3D network")
    assert "1 patients, too few for a conclusion" in text
    assert "Random weights" not in text


def test_a_network_without_gradients_has_an_empty_map():
    class Deaf(nn.Conv3d):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return (0 * super().forward(images)).flatten(1)[:, :2]

    explainer = Explainer(network(1), CONFIG)
    seen = prepare_eye("0", Anatomy(eye(0)), None, explainer, target=1)
    heat = map_of_network(explainer, seen)(Deaf(1, 1, 1), torch.zeros(1))
    assert heat.shape == SHAPE[::-1]
    assert not heat.any()


def judged(own: list[float], bright: list[float], test: str = DONOR) -> pd.DataFrame:
    """Gains of deletion, and of insertion, by eye."""
    rows = [
        {"subject": str(n), "patient": str(n), "disease": "DR", "test": test, "method": method, "road_gain": math.nan}
        | {"deletion_gain": gain, "insertion_gain": gain}
        for method, gains in ((METHOD, own), (checked_cohort.BRIGHTNESS, bright), (RANDOM, [0.0] * len(own)))
        for n, gain in enumerate(gains)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("own", "bright", "words"),
    [
        (0.5, 0.1, "uses what the map marks more than any other place, and more than what is bright (+0.50"),
        (0.5, 0.5, "more than any other place, but not more than what is bright (+0.50"),
        (-0.1, 0.5, "does not use what the map marks more than any other place (-0.10"),
    ],
)
def test_faithfulness_is_concluded_from_random_orders_and_brightness(own: float, bright: float, words: str):
    noise = [0.01, -0.02, 0.03, 0.0, -0.03, 0.01]
    (sentence,) = conclude_faithfulness(judged([own + x for x in noise], [bright - x for x in noise]), DRAW)
    assert words in sentence


def test_eyes_without_evidence_do_not_count():
    (sentence,) = conclude_faithfulness(judged([0.5, 0.5, 0.5, 0.5, math.nan], [0.1] * 5), DRAW)
    assert "4 patients, too few for a conclusion" in sentence


def compared(end: float, other_eyes: float) -> pd.DataFrame:
    """Six eyes whose maps have a rank correlation of 1, .9 and `end` on the way to random weights."""
    noise = [0.01, -0.02, 0.03, 0.0, -0.01, 0.02]
    rows = [
        {"comparison": CASCADE, "subject": str(n), "level": level, "layer": name, "spearman": value}
        for n, x in enumerate(noise)
        for level, (name, value) in enumerate((("", 1.0), ("fc", 0.9), ("conv1", end + x)))
    ]
    rows += [
        {"comparison": EYES, "subject": str(n), "other": str((n + 1) % 6), "spearman": other_eyes + x}
        for n, x in enumerate(noise)
    ]
    table = pd.DataFrame(rows)
    return table.assign(patient=table["subject"], ssim=table["spearman"])


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (0.1, "the map changes with the weights (rank correlation with the trained network's map falls from 1 to 0.1"),
        (0.6, "the map still looks alike (rank correlation with the trained network's map falls from 1 to 0.6"),
    ],
)
def test_sanity_is_concluded_from_different_eyes(end: float, words: str):
    (sentence,) = conclude_sanity(compared(end, 0.1), DRAW)
    assert words in sentence
    assert "where maps of different eyes have 0.1" in sentence


def test_agreement_of_networks_is_concluded_from_different_eyes():
    table = compared(0.6, 0.1).query("level != 0 and level != 1")
    names = {CASCADE: NETWORKS, EYES: EYES_AND_NETWORKS}
    alike = conclude_sanity(table.assign(comparison=table["comparison"].map(names)), DRAW)
    assert "those of other folds or seeds mark the same places of an eye (rank correlation 0.6" in alike[0]


def test_the_figure_shows_every_eye_the_mean_and_the_null():
    figure = randomisation_figure(compared(0.3, 0.1), DRAW, title="3D network")
    assert len(figure.axes) == 2
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert len(curves) == 6 + 1
    np.testing.assert_allclose(curves[-1].get_ydata(), [1, 0.9, 0.305], atol=1e-6)
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == ["none", "fc", "conv1\n(all)"]
    assert figure.axes[0].patches  # the band of the null
