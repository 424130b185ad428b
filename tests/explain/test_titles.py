"""Titles of the pictures of eyes."""

import pytest

from octa_kedro.explain.titles import eye_title, short_probability


def test_truth_and_prediction_are_told_apart():
    row = {"subject": "10001", "disease": "CNV", "target": 1, "probability": 0.93}
    title = eye_title(row, model="3D network", threshold=0.5, laterality="OS")
    assert title.startswith("10001 (left eye)   true: CNV")
    assert title.endswith("predicted by the 3D network: disease, p(disease) = .93, correct")


def test_the_threshold_decides_and_an_error_is_called_one():
    row = {"subject": "1", "disease": "DR", "target": 1, "probability": 0.6}
    title = eye_title(row, model="", threshold=0.7, laterality=None)
    assert title.endswith("predicted: no disease, p(disease) = .60, WRONG")


@pytest.mark.parametrize(
    ("probability", "words"), [(0.0, ".00"), (1e-4, "< .01"), (0.5, ".50"), (0.9999, "> .99"), (1.0, "1.00")]
)
def test_probabilities_are_not_rounded_to_certainty(probability, words):
    assert short_probability(probability) == words
