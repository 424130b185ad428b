"""Comparisons in words."""

from octa_kedro.evaluation.tables import metric_table
from octa_kedro.evaluation.verdict import pair_verdict, verdict_text

from .test_comparisons import CONFIG, cohort, compared, row

GOOD, BAD, FLOOR = "training_3d", "training_2d", "floor_depth_profile"


def verdict_of(**shifts: float) -> list[str]:
    rows = cohort(**shifts)
    text = verdict_text(compared(rows), metric_table(rows, CONFIG), CONFIG)
    return [line for line in text.splitlines() if line]


def test_the_verdict_begins_with_the_floor():
    head, title, first, *pairs = verdict_of(**{GOOD: 3.0, BAD: 0.6, FLOOR: 0.5})
    assert (head, title) == ("# What the comparison shows", "## Out of fold (120 patients, 120 eyes)")
    assert first.startswith("**Better than the best floor, floor_depth_profile (AUROC .")
    assert "): training_3d" in first
    assert len(pairs) == 3
    assert pairs[0].startswith("- training_3d exceeds training_2d by .")


def test_a_network_no_better_than_chance_is_named_before_all_else():
    lines = verdict_of(**{GOOD: 2.0, BAD: 0.0, FLOOR: 0.5})
    assert lines[2].startswith("**Not shown to be better than chance, which is an AUROC of .50: training_2d, AUROC .")
    assert "training_3d" not in lines[2]
    assert lines[3].startswith("**Better than the best floor")
    assert verdict_of(**{GOOD: 0.0, BAD: 0.1, FLOOR: 0.5})[2].startswith(
        "**No network is shown to be better than chance"
    )


def test_no_network_beats_the_floor_is_said_first():
    lines = verdict_of(**{GOOD: 1.0, FLOOR: 3.0, "floor_age": 0.3})
    assert lines[2].startswith("**No network is shown to be better than the best floor, floor_depth_profile")
    assert lines[3].startswith("- floor_depth_profile exceeds training_3d")
    assert len(lines) == 4  # the other floor is in the table alone


def test_what_is_not_shown_says_what_would_show_it():
    sentence = verdict_of(a=1.2, b=1.0)[2]
    assert sentence.startswith("- not shown that a exceeds b: difference .")
    assert " eyes would " in sentence
    assert "95 % interval -." in sentence


def test_a_verdict_needs_the_correction_for_all_pairs():
    found = row(compared(cohort(a=2.0, b=1.0)), "auroc").to_dict() | {"p_holm": 0.2, "low": 0.01}
    assert "not after the correction for all pairs" in pair_verdict(found, CONFIG)


def test_a_name_cannot_leave_its_sentence():
    assert not any("<script>" in line for line in verdict_of(**{"<script>": 2.0, "b": 1.0}))
