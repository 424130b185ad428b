"""Maps of a cohort are scored beside controls, with a threshold that held-out eyes had no part in."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from octa_kedro.explain.cohort import Rivals, Surroundings, score_findings, score_maps
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.controls import CONTROLS
from octa_kedro.explain.scoring import choose_thresholds
from octa_kedro.explain.target import facts_of
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored, write_result
from tests.explain.eyes import AFFINE, SHAPE, box, flat_surfaces, heat_at, volume

CONFIG = ExplainConfig(lesion_slabs={"CNV": "OPL_BM"})
LESION = volume(2 * box(slice(2, 4), slice(2, 4), slice(8, 11)))


def kept(item: Volume | PlaneStack):
    """What stands for a stored result: something to call."""
    return lambda: item


PREDICTIONS = pd.DataFrame(
    {
        "model": "training_3d",
        "subject": ["a", "b", "n", "no_map"],
        "part": ["out_of_fold", "held_out", "held_out", "held_out"],
        "disease": ["CNV", "CNV", "NORMAL", "CNV"],
        "target": [1, 1, 0, 1],
        "probability": [0.9, 0.2, 0.1, 0.9],
    }
)
HEAT = heat_at((2, 2, 9), (2, 3, 9))
MAPS = {name: kept(HEAT) for name in "abn"}
AROUND = Surroundings(
    {name: kept(flat_surfaces(0.2, 0.4, 0.6)) for name in "abn"}, {name: kept(LESION) for name in "ab"}
)


def test_maps_are_scored_beside_their_predictions():
    scores = score_maps(MAPS, AROUND, PREDICTIONS, CONFIG, 0.5).set_index("subject")
    assert list(scores.index) == ["a", "b", "n"]
    assert scores["correct"].tolist() == [True, False, True]
    assert scores["method"].unique().tolist() == ["map"]
    assert scores.loc["a", ["peak_in_lesion", "peak_in_slab"]].tolist() == [1, 1]
    assert math.isnan(scores.loc["n", "peak_in_lesion"])


def test_a_score_says_which_class_its_map_explains(tmp_path: Path):
    assert score_maps(MAPS, AROUND, PREDICTIONS, CONFIG, 0.5)["explained"].tolist() == [1, 1, 1]
    said = write_result(tmp_path / "a.nii", Result(HEAT, facts=facts_of(0, ("NORMAL", "CNV"))))
    maps = {"a": Stored(tmp_path / "a.nii", said["sha256"], said["meta"])}
    predicted = CONFIG.model_copy(update={"target_class": "predicted"})
    assert score_maps(maps, AROUND, PREDICTIONS, predicted, 0.5)["explained"].tolist() == [0]


def test_controls_and_other_maps_are_scored_for_diseased_eyes():
    image = kept(volume(np.random.default_rng(0).random(SHAPE), "OCTA"))
    plane = kept(PlaneStack(np.ones((*SHAPE[:2], 1)), AFFINE, ("gradcam",)))
    rivals = Rivals(dict.fromkeys("abn", image), {"a": plane}, {"random weights": {"a": kept(heat_at((7, 5, 0)))}})
    scores = score_maps(MAPS, AROUND, PREDICTIONS, CONFIG, 0.5, rivals=rivals)
    methods = scores.groupby("subject")["method"].apply(set)
    assert methods["a"] == {"map", "random weights", *CONTROLS}
    assert methods["b"] == {"map", *CONTROLS} - {"2D map, extruded"}
    assert methods["n"] == {"map"}
    own, other = (scores[(scores["subject"] == "a") & (scores["method"] == m)] for m in ("map", "random weights"))
    assert own["voxel_ap"].item() > other["voxel_ap"].item()


def test_the_threshold_is_chosen_on_development_eyes():
    scores = score_maps(MAPS, AROUND, PREDICTIONS, CONFIG, 0.5).set_index("subject")
    assert math.isnan(scores.loc["a", "dice_chosen"])  # a development eye
    assert math.isnan(scores.loc["n", "dice_chosen"])  # no mask
    # Any threshold up to a half marks 2 of the lesion's 12 voxels and no other.
    assert scores.loc["b", "dice_chosen"] == pytest.approx(2 * 2 / 14)
    assert scores.loc["b", "iou_chosen"] == pytest.approx(2 / 12)
    assert scores.loc["b", "threshold_chosen"] <= 0.5


def test_a_held_out_eye_does_not_move_the_threshold():
    rows = pd.DataFrame({"part": ["out_of_fold", "held_out"], "method": "map"})
    curves = [np.r_[0.1, 0.7, np.zeros(47)], np.r_[0.9, 0.2, np.zeros(47)]]
    chosen = choose_thresholds(rows, curves)
    assert chosen["dice_chosen"].tolist() == pytest.approx([math.nan, 0.2], nan_ok=True)
    alone = choose_thresholds(rows.iloc[1:], curves[1:])
    assert alone["dice_chosen"].isna().all()


def test_no_mapped_eye_gives_an_empty_table():
    assert score_maps({}, AROUND, PREDICTIONS, CONFIG, 0.5).empty
    assert score_findings({}, AROUND, PREDICTIONS, CONFIG, 0.5).empty


def test_findings_go_by_their_names():
    table = score_findings(MAPS, AROUND, PREDICTIONS, CONFIG, 0.5, names={2: "fluid"})
    assert table[["subject", "finding"]].to_numpy().tolist() == [["a", "fluid"], ["b", "fluid"]]
    assert (table["peak_in_finding"] == 1).all()


def test_the_default_names_of_findings_are_those_of_the_phantom():
    base = yaml.safe_load((Path(__file__).parents[2] / "conf/base/parameters_explainability.yml").read_text())
    names = base["explainability"]["finding_names"]
    words = {finding.value: finding.name.lower().replace("_", " ") for finding in Finding}
    assert {value: name.removesuffix(" tissue") for value, name in names.items()} == words
