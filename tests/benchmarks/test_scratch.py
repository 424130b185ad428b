"""The paired interval that benchmarks judge networks by."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
scratch = importlib.import_module("scratch")

TARGET = np.repeat([0, 1], 60)


def trainings(*gaps: float) -> list[np.ndarray]:
    """Scores of one training per gap between the classes' means; the eyes' noise is the same in all."""
    noise = np.random.default_rng(0).normal(size=len(TARGET))
    return [noise + gap * TARGET for gap in gaps]


def test_the_gain_is_that_of_the_mean_auroc():
    ours, theirs = trainings(2.0, 1.0), trainings(0.5, 0.5)
    means = [np.mean([roc_auc_score(TARGET, scores) for scores in side]) for side in (ours, theirs)]
    gain, low, high = scratch.paired_gain(TARGET, ours, theirs, draws=200)
    assert gain == pytest.approx(means[0] - means[1])
    assert low < gain < high


def test_equal_predictions_differ_by_nothing():
    same = trainings(1.0, 1.5)
    assert scratch.paired_gain(TARGET, same, same, draws=50, draw_repetitions=True) == (0, 0, 0)


def test_drawing_trainings_anew_tells_that_one_was_lucky():
    ours, theirs = trainings(3.0, 0.0, 0.0, 0.0), trainings(0.0, 0.0, 0.0, 0.0)
    fixed = scratch.paired_gain(TARGET, ours, theirs, draws=80)
    drawn = scratch.paired_gain(TARGET, ours, theirs, draws=80, draw_repetitions=True)
    assert fixed[0] == drawn[0]
    assert fixed[1] > 0  # over eyes alone the one lucky training looks like a sure gain
    assert drawn[1] <= 0


def test_as_many_trainings_of_both_are_needed():
    with pytest.raises(ValueError, match="shorter"):
        scratch.paired_gain(TARGET, trainings(1.0, 1.0), trainings(1.0), draws=5)
