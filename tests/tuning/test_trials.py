"""The seals of trials: what is edited in a study is never taken for what its trainings gave."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from octa_kedro.errors import DataError
from tests.tuning.searching import ODD, FakeFit, same, search

CHANGED = r"study\.db: trial 2 of the search 'search' has changed since it was written.*; restore it from a copy"
OF_TRIAL_2 = "WHERE trial_id = (SELECT trial_id FROM trials WHERE number = 2)"


def edit(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount
        connection.commit()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search of four trials."""
    folder = tmp_path_factory.mktemp("whole")
    search(folder, trials=4)
    return folder


EDITS = {
    "a value": f"UPDATE trial_values SET value = 0.99 {OF_TRIAL_2}",
    "a parameter": f"UPDATE trial_params SET param_value = 4 {OF_TRIAL_2} AND param_name = 'batch_size'",
    "a fold": "UPDATE trial_user_attributes SET value_json = replace(value_json, '\"epoch\": 1', '\"epoch\": 2') "
    f"{OF_TRIAL_2} AND key = 'folds'",
    "a report": f"UPDATE trial_intermediate_values SET intermediate_value = 0.99 {OF_TRIAL_2} AND step = 1",
    "its seal": f"DELETE FROM trial_user_attributes {OF_TRIAL_2} AND key = 'seal'",
    "its state": "UPDATE trials SET state = 'PRUNED' WHERE number = 2",
    "its number": "UPDATE trials SET number = 7 WHERE number = 2",
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_trial_is_refused(tmp_path: Path, whole: Path, what: str):
    shutil.copy(whole / "study.db", tmp_path)
    edit(tmp_path, EDITS[what])
    with pytest.raises(DataError, match=CHANGED):
        search(tmp_path, trials=5)


def test_an_edited_reason_is_refused(tmp_path: Path):
    search(tmp_path, FakeFit(fail={8: ODD}), trials=3)
    edit(tmp_path, f"UPDATE trial_user_attributes SET value_json = '\"\"' {OF_TRIAL_2} AND key = 'failed'")
    with pytest.raises(DataError, match=CHANGED):
        search(tmp_path)


def test_the_folds_of_an_interrupted_trial_are_under_a_seal(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, FakeFit(interrupt=(9,)))
    edit(tmp_path, f"UPDATE trial_params SET param_value = 4 {OF_TRIAL_2} AND param_name = 'batch_size'")
    with pytest.raises(DataError, match=CHANGED):
        search(tmp_path)


def test_a_failed_trial_whose_end_was_not_written_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = search(tmp_path / "whole", FakeFit(fail={8: ODD})).trials
    tell = optuna.Study.tell

    def interrupted(study: optuna.Study, trial: optuna.Trial, value: float | None = None, state: Any = None) -> None:
        if state == TrialState.FAIL:
            raise KeyboardInterrupt
        tell(study, trial, value, state)

    with monkeypatch.context() as patched:
        patched.setattr("optuna.Study.tell", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, FakeFit(fail={8: ODD}))
    pd.testing.assert_frame_equal(same(search(tmp_path).trials), same(whole))


def test_a_study_of_another_version_of_optuna_is_not_called_damaged(tmp_path: Path, whole: Path):
    shutil.copy(whole / "study.db", tmp_path)
    edit(
        tmp_path,
        "UPDATE alembic_version SET version_num = 'v9.9.0.a'",
        "UPDATE version_info SET library_version = '9.9'",
    )
    with pytest.raises(
        DataError, match=r"study\.db: written by another version of Optuna \(9\.9; .*; install that ver"
    ):
        search(tmp_path)
