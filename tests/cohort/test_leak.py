"""The leak guard, by subject and by patient."""

import pytest

from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.errors import LeakError


def test_it_names_the_subjects():
    require_disjoint(["a", "b"], ["c"], judge="x", learner="y")
    with pytest.raises(LeakError, match=r"fold 1: 2 subjects \(a, b\) were seen by the pre-training"):
        require_disjoint(["b", "a", "d"], ["a", "b"], judge="fold 1", learner="the pre-training")


def test_two_eyes_of_one_patient_count_as_one():
    patients = {"a": "p1", "b": "p1", "c": "p2"}
    require_disjoint(["a"], ["c"], judge="x", learner="y", patients=patients)
    with pytest.raises(LeakError, match=r"x: 1 subject \(a\) or the other eye of their patient \(p1\) were seen by y"):
        require_disjoint(["a"], ["b", "c"], judge="x", learner="y", patients=patients)


@pytest.mark.parametrize(("judged", "learnt"), [("P07", "p07"), ("Mu\u0308ller", "M\u00fcller"), ("a 1", "a1")])
def test_names_that_a_person_takes_for_one_are_one(judged: str, learnt: str):
    with pytest.raises(LeakError):
        require_disjoint([judged], [learnt], judge="x", learner="y")
    with pytest.raises(LeakError):
        require_disjoint(["u"], ["v"], judge="x", learner="y", patients={"u": judged, "v": learnt})
    require_disjoint(["7"], ["007"], judge="x", learner="y")
