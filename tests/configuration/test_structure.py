"""The facts that pipelines are built from."""

from pathlib import Path

import pytest

from octa_kedro.configuration.parameters import check_parameters
from octa_kedro.configuration.structure import Structure, parse_structure, settle_folds
from octa_kedro.errors import ConfigError

TWICE = Structure(source="phantom", folds=3, repeats=2, pretraining=False, models={"training_3d": 3})
AUTO = {"source": "nifti_folder", "folds": "auto", "pretraining": False, "models": {"training_3d": 3}}


def test_folds_of_repeats_are_numbered_on():
    assert list(TWICE.fold_numbers) == [1, 2, 3, 4, 5, 6]
    assert list(TWICE.model_copy(update={"repeats": 1}).fold_numbers) == [1, 2, 3]


def test_further_seeds_come_after_all_folds_of_the_first():
    thrice = TWICE.model_copy(update={"folds": 2, "repeats": 1, "seeds": 3})
    assert thrice.trainings == ((1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3))
    assert TWICE.trainings == tuple((fold, 1) for fold in range(1, 7))


@pytest.mark.parametrize("seeds", [0, -1, 1.5, "many"])
def test_an_impossible_number_of_seeds_is_refused(seeds: object):
    with pytest.raises(ConfigError, match=r"structure\.yml: seeds: "):
        parse_structure(AUTO | {"seeds": seeds})


@pytest.mark.parametrize("name", ["seeds", "folds"])
def test_a_structural_number_given_as_a_parameter_is_refused_with_its_place(name: str):
    with pytest.raises(ConfigError, match=rf"parameter '{name}' is structural, .*conf/<env>/structure\.yml"):
        check_parameters({name: 3}, TWICE)


def test_parameters_that_disagree_are_named_with_the_place_to_change():
    TWICE.check_splits({"folds": 3, "repeats": 2})
    with pytest.raises(ConfigError, match=r"splits\.folds is 7, but the pipelines have 3 folds.*structure\.yml"):
        TWICE.check_splits({"folds": 7, "repeats": 2})
    with pytest.raises(ConfigError, match=r"splits\.repeats is 1, but the pipelines have 2 repeats"):
        TWICE.check_splits({"folds": 3})


def test_folds_follow_the_table(tmp_path: Path):
    assert settle_folds(parse_structure(AUTO), tmp_path / "nowhere").folds == 3
    assert settle_folds(parse_structure(AUTO, 5), tmp_path, 5).folds == 5
    (tmp_path / "subjects.csv").write_text("subject,path,label\n")
    assert settle_folds(parse_structure(AUTO), tmp_path).folds == 3
    (tmp_path / "subjects.csv").write_text("subject,path,label,Split\n")
    assert settle_folds(parse_structure(AUTO), tmp_path).folds == 1
    with pytest.raises(
        ConfigError, match=r"splits\.folds is 5, but .*subjects\.csv has a column split, which is one fold"
    ):
        settle_folds(parse_structure(AUTO, 5), tmp_path, 5)


def test_a_network_is_not_called_like_a_floor():
    raw = {"source": "phantom", "folds": 2, "pretraining": False, "models": {"floor_mine": 3}}
    with pytest.raises(ConfigError, match=r"structure\.yml: .*floor_mine begins like a floor"):
        parse_structure(raw)
