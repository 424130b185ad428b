"""The facts that pipelines are built from."""

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.structure import Structure

TWICE = Structure(source="phantom", folds=3, repeats=2, pretraining=False, models={"training_3d": 3})


def test_folds_of_repeats_are_numbered_on():
    assert list(TWICE.fold_numbers) == [1, 2, 3, 4, 5, 6]
    assert list(TWICE.model_copy(update={"repeats": 1}).fold_numbers) == [1, 2, 3]


def test_parameters_that_disagree_are_named_with_the_place_to_change():
    TWICE.check_splits({"folds": 3, "repeats": 2})
    with pytest.raises(ConfigError, match=r"splits\.folds is 7, but the pipelines have 3 folds.*structure\.yml"):
        TWICE.check_splits({"folds": 7, "repeats": 2})
    with pytest.raises(ConfigError, match=r"splits\.repeats is 1, but the pipelines have 2 repeats"):
        TWICE.check_splits({"folds": 3})
