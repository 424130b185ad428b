"""The facts that pipelines are built from."""

from pathlib import Path

import pytest

from octa_kedro.configuration.structure import Structure, parse_structure, settle_folds
from octa_kedro.errors import ConfigError

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


AUTO = {"source": "nifti_folder", "folds": "auto", "pretraining": False, "models": {"training_3d": 3}}


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
