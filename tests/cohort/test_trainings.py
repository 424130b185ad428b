"""Names of trainings."""

import pytest

from octa_kedro.cohort.trainings import numbers_in, place_of, training_words


@pytest.mark.parametrize(
    ("fold", "seed", "place", "words"),
    [
        (3, 1, "fold_3", "fold 3"),
        (3, 2, "fold_3.seed_2", "fold 3, seed 2"),
        (12, 10, "fold_12.seed_10", "fold 12, seed 10"),
    ],
)
def test_the_first_seed_has_no_number(fold: int, seed: int, place: str, words: str):
    assert (place_of(fold, seed), training_words(fold, seed)) == (place, words)
    assert numbers_in(place) == (fold, seed)


@pytest.mark.parametrize("other", ["fold_", "fold_1.seed_", "fold_1x", "seed_2", "running"])
def test_other_names_tell_nothing(other: str):
    assert numbers_in(other) is None
