"""Scores of many eyes put together, and the conclusions drawn from them."""

import math

import numpy as np
import pandas as pd
import pytest

from octa_kedro.explain.hits_text import format_findings, format_hits
from octa_kedro.explain.localisation import SCORE_COLUMNS
from octa_kedro.explain.summary import Bootstrap, summarise_findings, summarise_hits, summarise_sizes


def scores_of(method: str, **columns: object) -> pd.DataFrame:
    """Correctly classified CNV eyes by one method; what `columns` do not say is NaN."""
    n = max(len(c) for c in columns.values() if isinstance(c, list))
    facts = {
        "model": "training_3d", "subject": [f"s{i}" for i in range(n)], "part": "held_out", "disease": "CNV",
        "target": 1, "correct": True, "method": method,
    }  # fmt: skip
    chosen = ("threshold_chosen", "iou_chosen", "dice_chosen")
    return pd.DataFrame(dict.fromkeys((*SCORE_COLUMNS, *chosen), math.nan) | facts | columns, index=range(n))


def conclusion(*tables: pd.DataFrame) -> str:
    summary = summarise_hits(pd.concat(tables), {}).query("part == 'all' and method == 'map'")
    return summary["conclusion"].item()


SPREAD = [0.01, -0.02, 0.03, 0.0, -0.01, 0.02]


def precision(mean: float) -> list[float]:
    return [mean + x for x in SPREAD]


def masked(method: str, mean: float) -> pd.DataFrame:
    """Six eyes with masks, whose chance level is .05."""
    return scores_of(method, voxel_ap=precision(mean), peak_in_lesion=1.0, prevalence=0.05)


def test_summary_counts_correct_diseased_eyes_only():
    scores = scores_of(
        "map",
        part=["out_of_fold"] * 4 + ["held_out"],
        disease=["CNV", "CNV", "CNV", "NORMAL", "CNV"],
        target=[1, 1, 1, 0, 1],
        correct=[True, True, False, True, True],
        peak_in_slab=[1.0, 0.0, 1.0, math.nan, 1.0],
        slab_share_of_retina=[0.4, 0.6, 0.5, math.nan, 0.5],
    )
    summary = summarise_hits(scores, {"training_3d": 0.067}).set_index("part")
    assert summary.loc["out_of_fold", ["n", "hits"]].tolist() == [2, 1]
    assert summary.loc["all", ["n", "hits"]].tolist() == [3, 2]
    # Wilson (1927) for 2 of 3.
    assert summary.loc["all", "low"] == pytest.approx(0.2077, abs=1e-3)
    assert summary.loc["all", "high"] == pytest.approx(0.9385, abs=1e-3)
    assert summary.loc["all", "chance_slab_share"] == pytest.approx(0.5)
    text = format_hits(summary.reset_index())
    assert "2 of 3 correctly classified eyes" in text
    assert "cells 0.067 mm deep" in text
    assert "nothing to score" in format_hits(summarise_hits(scores.iloc[:0], {}))


def test_pointing_is_summarised_without_a_slab():
    row = summarise_hits(scores_of("map", peak_in_lesion=[1.0, 0.0, 1.0, 1.0]), {}).query("part == 'all'").iloc[0]
    assert row[["n", "n_lesion", "lesion_hits"]].tolist() == [0, 4, 3]
    assert row["lesion_rate"] == 0.75
    assert math.isnan(row["rate"])
    assert math.isnan(row["voxel_ap"])


def test_means_have_an_interval_over_patients():
    scores = scores_of("map", voxel_ap=[0.2, 0.4, 0.6, 0.8], peak_in_lesion=1.0, patient=["a", "a", "b", "b"])
    row = summarise_hits(scores, {}).query("part == 'all'").iloc[0]
    assert row["voxel_ap"] == pytest.approx(0.5)
    assert (row["voxel_ap_low"], row["voxel_ap_high"]) == pytest.approx((0.3, 0.7))  # either patient drawn twice
    assert math.isnan(row["dice_chosen"])


def test_an_empty_map_is_counted_and_not_scored():
    scores = scores_of("map", peak_in_lesion=[1.0, math.nan], peak_value=[2.0, 0.0])
    summary = summarise_hits(scores, {})
    assert summary["n_lesion"].tolist() == [1, 1]
    assert summary["empty_maps"].tolist() == [1, 1]
    assert "1 further correctly classified eyes have an empty map" in format_hits(summary)


@pytest.mark.parametrize(
    ("own", "control", "words"),
    [
        (0.5, 0.2, "finds the lesion better than every control (voxel AP +0.30 [+0.30, +0.30] to edges)"),
        (0.2, 0.5, "exceeds chance, but does not exceed edges (voxel AP -0.30"),
        (0.05, 0.01, "does not exceed chance"),
    ],
)
def test_a_conclusion_is_drawn_from_paired_differences(own: float, control: float, words: str):
    assert words in conclusion(masked("map", own), masked("edges", control))


def test_the_rival_is_the_control_that_is_hardest_to_beat():
    text = conclusion(masked("map", 0.5), masked("edges", 0.1), masked("brightness", 0.4), masked("random", 0.05))
    assert "(voxel AP +0.10 [+0.10, +0.10] to brightness)" in text


def test_a_difference_that_varies_more_than_its_mean_proves_nothing():
    own = scores_of("map", voxel_ap=[0.9, 0.1, 0.8, 0.2, 0.9, 0.3], peak_in_lesion=1.0, prevalence=0.05)
    assert "does not exceed edges" in conclusion(own, masked("edges", 0.4))


@pytest.mark.parametrize(
    ("own", "control", "words"),
    [
        ([1.0] * 6, [0.0] * 6, "in 1.00 [0.61, 1.00] of eyes, above every control by at least +1.00 [+1.00, +1.00] (e"),
        ([1.0] * 6, [1.0] * 5 + [0.0], "above chance, but not above edges (+0.17 [+0.00, +0.50] to edges)"),
        ([0.0] * 5 + [1.0], [0.0] * 6, "in 0.17 [0.03, 0.56] of eyes, not above chance (+0.12 ["),
    ],
)
def test_the_conclusion_tells_of_the_peak_too(own: list[float], control: list[float], words: str):
    rival = masked("edges", 0.2).assign(peak_in_lesion=control)
    assert words in conclusion(masked("map", 0.5).assign(peak_in_lesion=own), rival)


def test_the_peak_is_compared_eye_by_eye():
    own, control = ([*hits, 1.0, 1.0, 1.0, 1.0] for hits in ((1.0, 0.0), (0.0, 1.0)))
    tables = (masked("map", 0.5).assign(peak_in_lesion=own), masked("edges", 0.2).assign(peak_in_lesion=control))
    row = summarise_hits(pd.concat(tables), {}).query("part == 'all' and method == 'map'").iloc[0]
    assert (row["peak_rival"], row["peak_gain"]) == ("edges", 0)
    assert row["peak_gain_low"] < 0 < row["peak_gain_high"]


def test_without_controls_the_conclusion_says_so():
    assert "no control was scored" in conclusion(masked("map", 0.5))


def test_without_masks_the_depth_is_judged_against_the_centre():
    same = scores_of("map", peak_in_slab=[1.0] * 6, slab_share_of_retina=0.4, centre_in_slab=1.0)
    assert "does not exceed centre of the grid" in conclusion(same)
    better = same.assign(centre_in_slab=0.0)
    assert conclusion(better).startswith("finds the lesion's slab better than every control (depth hit +1.00")


def test_few_patients_are_not_judged():
    few = masked("map", 0.5).iloc[:3]
    assert "cannot be judged: 3 correctly classified patients" in conclusion(few)


def test_the_text_ends_in_the_conclusions():
    text = format_hits(summarise_hits(pd.concat([masked("map", 0.05), masked("edges", 0.2)]), {}))
    assert text.splitlines()[-1].startswith("training_3d, CNV: the map does not exceed chance")
    assert "0.20 [0.19, 0.22]" in next(line for line in text.splitlines() if line.startswith("  edges"))


def test_findings_are_summarised_apart():
    rows = scores_of("map", finding=["fluid", "fluid", "new vessels"], peak_in_finding=[0.0, 0.0, 1.0])
    rows = rows.assign(voxel_ap=[0.1, 0.3, 0.6], prevalence=0.02, mass_in_finding=0.1)
    summary = summarise_findings(rows).set_index("finding")
    assert summary.loc["fluid", ["eyes", "hits"]].tolist() == [2, 0]
    assert summary.loc["fluid", "voxel_ap"] == pytest.approx(0.2)
    first, second = format_findings(summary.reset_index()).splitlines()
    assert "new vessels (1 eyes): voxel AP 0.60" in first
    assert "fluid (2 eyes): voxel AP 0.20" in second
    assert "nothing to tell" in format_findings(summarise_findings(rows.iloc[:0]))


def test_thirds_of_lesion_size():
    own = scores_of("map", lesion_mm3=[6.0, 5, 4, 3, 2, 1], voxel_ap=[0.9, 0.9, 0.5, 0.5, 0.1, 0.1], peak_in_lesion=1.0)
    sizes = summarise_sizes(own).set_index("size")
    assert sizes["voxel_ap"].to_dict() == pytest.approx({"small": 0.1, "medium": 0.5, "large": 0.9})
    assert sizes.loc["large", ["from_mm3", "to_mm3", "eyes"]].tolist() == [5, 6, 2]
    assert summarise_sizes(own.assign(lesion_mm3=2.0)).empty
    assert summarise_sizes(own.iloc[:0]).empty


def test_thresholds_of_other_eyes_are_in_the_means():
    scores = masked("map", 0.5).assign(dice_chosen=[0.2, np.nan, 0.4, np.nan, np.nan, np.nan])
    assert summarise_hits(scores, {})["dice_chosen"].tolist() == pytest.approx([0.3, 0.3])


def test_eyes_of_the_class_that_maps_explain_are_counted():
    scores = scores_of("map", target=[1, 2, 2], disease=["DR", "AMD", "AMD"], peak_in_lesion=[1.0, 0.0, 1.0])
    first, second = (summarise_hits(scores, {}, target_class=c).query("part == 'all'") for c in (1, 2))
    assert first["disease"].tolist() == ["DR"]
    assert second[["disease", "n_lesion", "lesion_hits"]].to_numpy().tolist() == [["AMD", 2, 1]]
    assert summarise_hits(scores, {}, target_class=0).empty


def test_of_the_predicted_class_only_maps_for_an_eyes_own_disease_are_scored():
    """A map for NORMAL, or for another disease, marks nothing that could be hit or missed."""
    scores = scores_of(
        "map",
        target=[1, 1, 2, 0],
        explained=[1, 0, 1, 0],
        correct=[True, True, True, True],
        disease=["DR", "DR", "AMD", "NORMAL"],
        peak_in_lesion=[1.0, 0.0, 0.0, 0.0],
        lesion_mm3=1.0,
    )
    row = summarise_hits(scores, {}, target_class="predicted").query("part == 'all'")
    assert row[["disease", "n_lesion", "lesion_hits"]].to_numpy().tolist() == [["DR", 1, 1]]
    rows = scores.assign(finding="fluid", peak_in_finding=0.0, mass_in_finding=0.0)
    assert summarise_findings(rows, target_class="predicted")["disease"].tolist() == ["DR"]


def test_evidence_for_the_negative_class_is_not_scored_even_where_there_is_a_mask():
    scores = scores_of("map", target=[0, 0], disease="NORMAL", peak_in_lesion=[1.0, 1.0])
    assert summarise_hits(scores, {}, target_class=0).empty


def test_all_intervals_have_the_level_that_is_asked_for():
    scores = masked("map", 0.5)
    wide, narrow = (summarise_hits(scores, {}, Bootstrap(level=level)).query("part == 'all'") for level in (0.95, 0.6))
    for name in ("lesion", "voxel_ap"):
        assert wide[f"{name}_low"].item() < narrow[f"{name}_low"].item()
    assert "In brackets: 60 % intervals." in format_hits(narrow, 0.6)
