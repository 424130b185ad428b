"""The search for parameters: what it varies, that it resumes where it was killed, and that it leaves out held-out
eyes."""

import logging
import math
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from octa_kedro.cohort.splits import fold_table
from octa_kedro.config import first_problem
from octa_kedro.errors import ConfigError, DataError, DivergedError, LeakError, OctaError
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.processed_as import PROCESSING_KEY
from octa_kedro.results.code import code_of
from octa_kedro.results.stored import Stored
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.fitted import Fitted
from octa_kedro.tuning.config import TuningConfig, check_space, nest
from octa_kedro.tuning.figure import Searched, search_figure
from octa_kedro.tuning.search import run_trial, search_parameters
from octa_kedro.tuning.space import decode, distributions
from octa_kedro.tuning.study import StudyFile, differences
from tests.conftest import splits_table
from tests.training.conftest import MODEL_3D

RATE = "optimiser.learning_rate"  # paths of the model's parameters that tests vary
SPACE = {
    RATE: {"low": 1e-4, "high": 1e-2, "log": True},
    "batch_size": {"low": 2, "high": 8},
    "augmentation.flip": {"choices": [True, False]},
}
PARAMETERS = {"model": MODEL_3D, "device": "cpu"}
SPLITS = splits_table()
HELD_OUT = set(SPLITS.loc[SPLITS["held_out"], "subject"])
TIMES = ["seconds", "number"]  # columns that an interruption changes


class Guarded(Mapping[str, Stored]):
    """Images of all eyes, of which none that is held out may be looked at."""

    def __getitem__(self, subject: str) -> Stored:
        assert subject not in HELD_OUT, f"{subject} is held out"
        return Stored(Path(subject), f"hash of {subject}", {})

    def __iter__(self) -> Iterator[str]:
        return iter(SPLITS["subject"])

    def __len__(self) -> int:
        return len(SPLITS)


def fitted(rows: list[dict[str, Any]]) -> Fitted:
    return Fitted(None, pd.DataFrame(rows))  # type: ignore[arg-type]


@dataclass
class FakeFit:
    """Two epochs, of which the first is kept: best near a rate of .001 and a large batch, fold 2 worse by .1.

    Before the call numbers of `interrupt` it stops the process as an interruption does, before those of `fail` with
    an error.
    """

    interrupt: tuple[int, ...] = ()
    fail: Mapping[int, Exception] = field(default_factory=dict)
    calls: list[tuple[TrainingConfig, int]] = field(default_factory=list)

    def __call__(self, images, table, config, processing, pretrained) -> Fitted:
        fold = int(table["fold"].iloc[0])
        assert not set(table["subject"]) & HELD_OUT
        assert set(images) == set(SPLITS["subject"]) - HELD_OUT
        self.calls.append((config, fold))
        if len(self.calls) in self.interrupt:
            raise KeyboardInterrupt
        if len(self.calls) in self.fail:
            raise self.fail[len(self.calls)]
        value = (
            0.9
            - 0.1 * (math.log10(config.optimiser.learning_rate) + 3) ** 2
            + 0.01 * config.batch_size
            - 0.1 * (fold == 2)
        )
        row = {"fold": fold, "epoch": 1, "val_auroc": value, "val_loss": 1 - value, "best": True}
        return fitted([row, row | {"epoch": 2, "val_auroc": 1.0, "val_loss": 0.0, "best": False}])


def search(folder: Path, fit=None, *, images=None, tables=None, parameters=None, processing=None, **tuning):
    config = {"trials": 4, "startup_trials": 2, "space": SPACE} | tuning
    return search_parameters(
        StudyFile(folder / "study.db", "training_3d"),
        Guarded() if images is None else images,
        [fold_table(SPLITS, fold) for fold in (1, 2, 3)] if tables is None else tables,
        parameters=PARAMETERS if parameters is None else parameters,
        processing=processing or ProcessingConfig(),
        tuning=TuningConfig.model_validate(config),
        fit=fit or FakeFit(),
    )


def same(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=TIMES)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """The folder and the trials of a search that nothing interrupted, two of them drawn at random."""
    folder = tmp_path_factory.mktemp("done")
    return folder, search(folder).trials


@pytest.fixture
def whole(done: tuple[Path, pd.DataFrame]) -> pd.DataFrame:
    return done[1]


@pytest.fixture
def folder(done: tuple[Path, pd.DataFrame], tmp_path: Path) -> Path:
    """A copy of the folder of a finished search."""
    return Path(shutil.copytree(done[0], tmp_path / "copy"))


def test_a_trial_is_the_mean_over_folds_at_the_kept_epoch(tmp_path: Path):
    fit = FakeFit()
    found = search(tmp_path, fit, trials=4)
    assert [fold for _, fold in fit.calls] == [1, 2, 3] * 4
    first = found.trials.iloc[0]
    assert first["fold_1"] == pytest.approx(first["fold_2"] + 0.1)  # epoch 2 would be 1.0 in all folds
    assert first["value"] == pytest.approx(first["fold_1"] - 0.1 / 3)
    assert (found.trials[["epoch_1", "epoch_2", "epoch_3"]] == 1).all(axis=None)
    assert fit.calls[0][0].optimiser.learning_rate == first[RATE]
    assert fit.calls[0][0].augmentation.flip == first["augmentation.flip"]
    assert fit.calls[0][0].batch_size == first["batch_size"]


def test_the_best_parameters_are_those_of_the_best_trial(tmp_path: Path):
    found = search(tmp_path, trials=6)
    row = found.trials.loc[found.trials["value"].idxmax()]
    best = found.best
    assert best["value"] == row["value"]
    assert best["trial"] == row["trial"]
    assert best["epochs"] == {"1": 1, "2": 1, "3": 1}
    drawn = best["parameters"]["training_3d"]
    assert TrainingConfig.model_validate(nest(drawn, PARAMETERS)).batch_size == row["batch_size"]
    assert drawn["augmentation"] == {"flip": bool(row["augmentation.flip"])}
    assert f"training_3d.{RATE}={row[RATE]}" in best["command"]
    assert best["command"] in found.report
    assert "out-of-fold figures" in found.report
    assert not found.importances  # too few trials


def test_a_loss_is_minimised(tmp_path: Path):
    found = search(tmp_path, metric="val_loss")
    assert found.best["value"] == found.trials["value"].min()
    assert found.best["direction"] == "minimise"


def test_only_the_asked_folds_are_trained(tmp_path: Path):
    fit = FakeFit()
    found = search(tmp_path, fit, folds=[3, 1], trials=1)
    assert [fold for _, fold in fit.calls] == [3, 1]
    assert "fold_2" not in found.trials


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


def test_time_is_up(tmp_path: Path, monkeypatch):
    clock = iter(range(0, 10_000, 50))  # seconds, 50 between two looks
    monkeypatch.setattr("octa_kedro.tuning.search.time.monotonic", lambda: next(clock))
    assert len(search(tmp_path, timeout_minutes=2).trials) == 2  # looks at 0, 50, 100 and 150 s
    with pytest.raises(OctaError, match=r"none of 0 trials is complete.*timeout_minutes"):
        search(tmp_path / "other", timeout_minutes=0.1)


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


ODD = DivergedError("fold 2, epoch 1: the loss is not finite; lower optimiser.learning_rate")


@pytest.mark.parametrize(
    "error", [ODD, torch.OutOfMemoryError("CUDA out of memory.\nTried"), MemoryError(), ConfigError("no")]
)
def test_a_training_that_cannot_be_is_a_failed_trial(tmp_path: Path, error: Exception):
    found = search(tmp_path, FakeFit(fail={5: error}), trials=3)
    assert found.trials["state"].tolist() == ["complete", "failed", "complete"]
    expected = str(ODD) if error is ODD else f"fold 2: {(str(error) or 'MemoryError').splitlines()[0]}"
    assert found.trials["reason"].tolist() == ["", expected, ""]
    assert math.isnan(found.trials["value"][1])
    assert f"Failed: {expected}" in found.report


@pytest.mark.parametrize(
    "error", [DataError("subject s01: gone"), LeakError("seen"), torch.AcceleratorError("lost", 0)]
)
def test_bad_data_and_broken_devices_stop_the_search_and_lose_nothing(tmp_path: Path, whole, error: Exception):
    with pytest.raises(type(error), match=str(error)):
        search(tmp_path, FakeFit(fail={5: error}))
    pd.testing.assert_frame_equal(same(search(tmp_path).trials), same(whole))


def test_it_gives_up_if_all_of_the_first_fail(tmp_path: Path):
    fit = FakeFit(fail=dict.fromkeys(range(1, 100), ODD))
    with pytest.raises(
        OctaError, match=r"training_3d: 3 trials failed and none is complete.*not finite.*tuning\.space"
    ):
        search(tmp_path, fit)
    assert len(fit.calls) == 3
    assert len(search(tmp_path).trials) == 4  # corrected, it resumes


def test_an_undefined_metric_fails_and_an_unknown_one_is_named(tmp_path: Path):
    def undefined(*arguments: Any) -> Fitted:
        return fitted([{"epoch": 1, "val_auroc": math.nan, "val_loss": 1.0, "best": True}])

    with pytest.raises(OctaError, match="fold 1: val_auroc is not defined at the epoch that is kept"):
        search(tmp_path, undefined)
    with pytest.raises(
        ConfigError, match=r"tuning\.metric: the history has no column 'val_f1'; choose one of val_auroc, val_loss"
    ):
        search(tmp_path / "other", metric="val_f1")


def test_the_median_pruner_gives_up_bad_trials_after_a_fold(tmp_path: Path):
    fit = FakeFit()
    found = search(tmp_path, fit, trials=12, pruner="median", sampler="random")
    pruned = found.trials[found.trials["state"] == "pruned"]
    assert len(pruned)
    assert pruned["fold_3"].isna().all()
    assert (pruned["fold_1"] < found.trials["fold_1"].median()).all()
    assert len(fit.calls) == found.trials[["fold_1", "fold_2", "fold_3"]].notna().sum().sum()
    assert found.trials.loc[found.best["trial"] - 1, "state"] == "complete"


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


def test_leaks_and_foreign_images_stop_it_before_anything_runs(tmp_path: Path):
    fit = FakeFit()
    patients = SPLITS.assign(patient=[f"p{int(s[1:]) % 20}" for s in SPLITS["subject"]])  # s00 and s20, held out
    with pytest.raises(LeakError, match="fold 1"):
        search(tmp_path, fit, tables=[fold_table(patients, 1)])
    moved = SPLITS.assign(held_out=SPLITS["held_out"] | (SPLITS["subject"] == "s00"))
    with pytest.raises(LeakError, match=r"the held-out part: 1 subject \(s00\) were seen by the search in fold 1"):
        search(tmp_path, fit, tables=[fold_table(SPLITS, 1), fold_table(moved, 2)])
    meta = {PROCESSING_KEY: ProcessingConfig(grid=(8, 8, 8)).model_dump(mode="json")}
    foreign = {s: Stored(Path(s), "hash", meta) for s in SPLITS["subject"]}
    with pytest.raises(ConfigError, match=r"processing\.grid"):
        search(tmp_path, fit, images=foreign)
    with pytest.raises(DataError, match="no subject to train on"):
        search(tmp_path, fit, tables=[fold_table(SPLITS, 1).iloc[:0]])
    assert not fit.calls


def problem(space: Any, **others: Any) -> str:
    """Why a search over `space` is refused."""
    try:
        check_space(TuningConfig.model_validate({"space": space} | others), "training_3d", PARAMETERS, (1, 2, 3))
    except ValidationError as error:
        return first_problem(error, TuningConfig)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (SPACE, ""),
        ({"augmentation.shft": {"low": 0, "high": 0.1}}, "tuning.space.augmentation.shft: training_3d cannot have 0"),
        ({"augmentation.shft": {"low": 0, "high": 0.1}}, "did you mean shift?"),
        (
            {"augmentation.shift": {"low": 0, "high": 0.6}},
            "cannot have 0.6: augmentation.shift: Input should be less than",
        ),
        ({"batch_size": {"low": 0, "high": 4}}, "cannot have 0.0: batch_size"),
        (
            {"model.name": {"choices": ["resnet10", "resnt18"]}},
            "cannot have resnt18: model: name: no 3D network 'resnt18'",
        ),
        ({"model.width": {"choices": [0.5, 1]}}, "no effect beside training_3d.model.widths"),
        ({RATE: {"lo": 1, "high": 2}}, f"space.{RATE}.lo: unknown parameter, did you mean low?"),
        ({RATE: {"low": 2, "high": 1}}, "low: 2 is not below high, 1"),
        ({RATE: {"low": 0, "high": 1, "log": True}}, "log: needs a low above 0 and no step"),
        ({RATE: {"low": 0.1}}, "low: give low and high, or choices"),
        ({RATE: {"low": 0.1, "choices": [1]}}, "choices: give either these or low and high"),
        ({RATE: {"choices": [0.1, 0.1]}}, "choices: give at least one, and none twice"),
        ({RATE: {"choices": []}}, "choices: give at least one, and none twice"),
        ({RATE: None}, "space: Dictionary should have at least 1 item"),
    ],
)
def test_a_space_is_checked_before_anything_runs(space: dict, message: str):
    found = problem(space)
    assert message in found
    assert bool(message) == bool(found)


def test_folds_and_direction_are_checked():
    assert "there is no fold 4; the splits have 1, 2, 3" in problem(SPACE, folds=[1, 4])
    assert "direction: maximise or minimise?" in problem(SPACE, metric="lr")
    assert TuningConfig.model_validate({"space": SPACE, "metric": "lr", "direction": "minimise"}).goal == "minimise"


def test_the_command_line_changes_parts_of_a_space():
    """``--params tuning.space.a.b.high=..`` comes nested beside the dotted keys of the file."""
    given = {"augmentation.shift": {"low": 0, "high": 0.1}, "batch_size": {"choices": [2, 4]}, RATE: None}
    given |= {"augmentation": {"shift": {"high": 0.2}, "noise": {"low": 0, "high": 0.3}}}
    space = TuningConfig.model_validate({"space": given}).space
    assert set(space) == {"augmentation.shift", "batch_size", "augmentation.noise"}
    assert space["augmentation.shift"].ends == (0, 0.2)


def test_what_is_drawn_has_the_type_of_its_parameter():
    space = {
        "batch_size": {"low": 2, "high": 8, "step": 2},
        "augmentation.rotation": {"low": 0, "high": 10},
        "model.widths": {"choices": [None, [4, 4, 8, 8]]},
        RATE: {"low": 1e-4, "high": 1e-2, "log": True},
    }
    config = TuningConfig.model_validate({"space": space}).space
    of = distributions(config)
    assert list(of) == sorted(space)  # the order in which a file has them does not matter
    assert of["batch_size"] == optuna.distributions.IntDistribution(2, 8, step=2)
    assert of["augmentation.rotation"] == optuna.distributions.FloatDistribution(0.0, 10.0)
    drawn = {"batch_size": 4, "augmentation.rotation": 3.14159, "model.widths": "[4, 4, 8, 8]", RATE: 0.000123456}
    decoded = decode(drawn, config)
    assert decoded == {"augmentation.rotation": 3.142, "batch_size": 4, RATE: 0.0001235, "model.widths": [4, 4, 8, 8]}
    assert nest(decoded, {"model": {"name": "resnet10"}, "augmentation": None}) == {
        "model": {"name": "resnet10", "widths": [4, 4, 8, 8]},
        "augmentation": {"rotation": 3.142},
        "batch_size": 4,
        "optimiser": {"learning_rate": 0.0001235},
    }


def test_widths_follow_from_a_width_that_is_drawn(tmp_path: Path):
    fit = FakeFit()
    parameters = {"model": {"name": "resnet10", "spatial_dims": 3, "width": 0.5}}
    space = {"model.width": {"choices": [0.125, 0.25]}}
    search(tmp_path, fit, parameters=parameters, space=space, trials=4)
    assert {config.model.widths[0] for config, _ in fit.calls} <= {8, 16}
    parameters["model"]["width"] = 0.125
    search(tmp_path, fit, parameters=parameters, space=space, trials=5)  # still the same search


def test_differences_are_named_key_by_key():
    old = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert differences(old, {"a": {"b": 2, "c": [1]}}) == ["a.b was 1 and is 2", "d was 1 and is null"]


def test_importance_and_figure_of_a_long_search(tmp_path: Path):
    varied = {path: SPACE[path] for path in (RATE, "augmentation.flip")}
    found = search(tmp_path, FakeFit(fail={3: ODD}), trials=21, sampler="random", space=varied)
    assert sum(found.importances.values()) == pytest.approx(1)
    assert found.importances[RATE] > 0.8  # a flip changes nothing
    space = {
        path: Searched(one.get("choices") or (one["low"], one["high"]), "log" in one, "choices" in one)
        for path, one in varied.items()
    }
    figure = search_figure(
        found.trials, space, model="training_3d", metric="val_auroc", maximise=True, importances=found.importances
    )
    shown = {axes.get_xlabel(): axes for axes in figure.axes if axes.axison and axes.get_xlabel()}
    assert set(shown) == {"Trial", *varied}
    assert len(figure.axes) == 2 + 2
    assert shown[RATE].get_xscale() == "log"
    assert [label.get_text() for label in shown["augmentation.flip"].get_xticklabels()] == ["true", "false"]
    line = shown["Trial"].lines[0].get_ydata()
    assert line[-1] == found.best["value"]
    figure.savefig(tmp_path / "figure.png")
    alone = search_figure(
        found.trials[:2], space, model="training_3d", metric="val_auroc", maximise=True, importances={}
    )
    assert len(alone.axes) == 1 + 2
