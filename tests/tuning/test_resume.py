"""A search goes on where it was killed, and only with the settings and code it began with."""

import logging
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import torch

from octa_kedro.errors import ConfigError, DataError, LeakError, OctaError
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.code import code_of
from octa_kedro.training.fitted import Fitted
from octa_kedro.tuning.config import nest
from octa_kedro.tuning.search import run_trial
from octa_kedro.tuning.study import differences
from tests.tuning.searching import (
    PARAMETERS,
    SPACE,
    SPLITS,
    FakeFit,
    Guarded,
    same,
    search,
)


@pytest.mark.parametrize("call", [1, 2, 6, 10])
def test_an_interrupted_search_ends_as_one_that_was_not(tmp_path: Path, whole: pd.DataFrame, call: int):
    fit = FakeFit(interrupt=(call,))
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, fit)
    again = FakeFit()
    found = search(tmp_path, again)
    pd.testing.assert_frame_equal(same(found.trials), same(whole))
    assert len(fit.calls) - 1 + len(again.calls) == 12  # no finished fold is trained again
    assert found.trials["number"].tolist() == [n for n in range(5) if n != (call - 1) // 3]


def test_an_interrupted_trial_is_pruned_as_it_would_have_been(tmp_path: Path):
    """The median of others after one fold is compared with one fold of this trial, not with all it has finished."""
    pruning = {"pruner": "median", "startup_trials": 1, "sampler": "random"}
    whole = search(tmp_path / "whole", **pruning).trials
    assert whole["state"].tolist() == ["complete", "complete", "complete", "pruned"]
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, FakeFit(interrupt=(6,)), **pruning)  # two folds of the second trial are finished
    pd.testing.assert_frame_equal(same(search(tmp_path, **pruning).trials), same(whole))


@pytest.mark.parametrize("drawn", [1, 5, 7])
def test_it_may_be_killed_while_parameters_are_drawn(tmp_path: Path, whole, monkeypatch, drawn: int):
    count, draw = iter(range(100)), optuna.Trial._suggest

    def stop(*arguments: Any) -> Any:
        if next(count) == drawn:  # those before are in the file already
            raise KeyboardInterrupt
        return draw(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Trial, "_suggest", stop)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path)
    pd.testing.assert_frame_equal(same(search(tmp_path).trials), same(whole))


@dataclass
class Killed(FakeFit):
    """Kills its process, which can do nothing about it, in the second fold of the second trial."""

    def __call__(self, *arguments: Any) -> Fitted:
        if len(self.calls) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(*arguments)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child computes nothing with threads
def test_a_killed_process_leaves_a_study_to_go_on_with(tmp_path: Path, whole: pd.DataFrame):
    if (child := os.fork()) == 0:
        try:
            search(tmp_path, Killed())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    again = FakeFit()
    pd.testing.assert_frame_equal(same(search(tmp_path, again).trials), same(whole))
    assert len(again.calls) == 12 - 4


def test_more_trials_continue_and_finished_ones_are_not_repeated(tmp_path: Path, whole: pd.DataFrame):
    search(tmp_path, trials=1)
    fit = FakeFit()
    pd.testing.assert_frame_equal(same(search(tmp_path, fit).trials), same(whole))
    assert len(fit.calls) == 3 * 3
    idle = FakeFit()
    assert len(search(tmp_path, idle, trials=3, timeout_minutes=1).trials) == 4
    assert not idle.calls


OTHER = {
    "tuning.space.batch_size.high": {"space": SPACE | {"batch_size": {"low": 2, "high": 9}}},
    "folds.3": {"folds": [1, 2]},
    "tuning.metric": {"metric": "val_loss"},
    "tuning.seed": {"seed": 1},
    "training_3d.max_epochs": {"parameters": PARAMETERS | {"max_epochs": 7}},
    "training_3d.augmentation.shift": {"parameters": PARAMETERS | {"augmentation": {"shift": 0.1}}},
    "processing.grid": {"processing": ProcessingConfig(grid=(8, 8, 8))},
    "images.eyes": {"images": {s: Guarded()[s] for s in SPLITS["subject"][:17]}},
}


@pytest.mark.parametrize("key", OTHER)
def test_a_study_of_other_settings_is_refused(folder: Path, key: str):
    named = rf"study\.db: the search 'search' was made.*{key}.*another tuning\.name, or delete"
    with pytest.raises(ConfigError, match=named):
        search(folder, **OTHER[key])


def test_another_name_is_another_search(folder: Path):
    assert len(search(folder, trials=1, seed=1, name="second").trials) == 1
    assert len(search(folder).trials) == 4


def test_using_what_was_found_does_not_end_the_search(folder: Path):
    best = search(folder).best
    used = nest(best["parameters"]["training_3d"], PARAMETERS) | {"workers": 2}
    assert len(search(folder, trials=5, parameters=used).trials) == 5


def test_an_edited_code_is_mentioned(folder: Path, monkeypatch, caplog):
    search(folder)
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
    code = code_of(run_trial, FakeFit())
    edited = replace(code, modules={**code.modules, "octa_kedro.tuning.search": "edited"})
    monkeypatch.setattr("octa_kedro.tuning.search.code_of", lambda *_: edited)
    search(folder)
    assert "changed since the search 'search' began: " in caplog.text
    assert "began: tuning.search; " in caplog.text


@pytest.mark.parametrize(
    "error", [DataError("subject s01: gone"), LeakError("seen"), torch.AcceleratorError("lost", 0)]
)
def test_bad_data_and_broken_devices_stop_the_search_and_lose_nothing(tmp_path: Path, whole, error: Exception):
    with pytest.raises(type(error), match=str(error)):
        search(tmp_path, FakeFit(fail={5: error}))
    pd.testing.assert_frame_equal(same(search(tmp_path).trials), same(whole))


def test_two_processes_do_not_share_a_study(tmp_path: Path):
    def nested(*arguments: Any) -> Fitted:
        with pytest.raises(OctaError, match=rf"study\.db: another process \({os.getpid()}\) is searching here"):
            search(tmp_path)
        return FakeFit()(*arguments)

    assert len(search(tmp_path, nested, trials=1).trials) == 1


def test_a_file_that_is_no_study_is_named(tmp_path: Path):
    (tmp_path / "study.db").write_text("something else " * 100)
    with pytest.raises(DataError, match=r"study\.db: damaged .*delete it"):
        search(tmp_path)


def test_differences_are_named_key_by_key():
    old = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert differences(old, {"a": {"b": 2, "c": [1]}}) == ["a.b was 1 and is 2", "d was 1 and is null"]
