"""What the figure of an eye says beside its answer."""

import pytest

from octa_kedro.inference.folders import title_of

FACTS = {
    "subject": "new", "predicted": "DR", "probability_DR": 0.8, "networks_read": 1, "familiar": "yes", "quality": "",
    "learnt_from_this_subject": False, "learnt_from_copy": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"learnt_from_copy": "10009"}, "\nA NETWORK HAS LEARNT FROM THIS IMAGE, or nearly this one, as 10009"),
        ({"learnt_from_this_subject": True}, "\nA NETWORK HAS LEARNT FROM THIS EYE, or the other one of its patient"),
    ],
)
def test_an_eye_that_was_learnt_from_says_so_under_whatever_name(facts: dict, words: str):
    assert title_of(FACTS | facts) == f"new: DR, p = 0.80{words}"
