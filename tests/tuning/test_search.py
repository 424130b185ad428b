"""The search for parameters: what its trials are, and that it leaves out held-out eyes."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from octa_kedro.cohort.splits import fold_table
from octa_kedro.errors import ConfigError, DataError, LeakError, OctaError
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.processed_as import PROCESSING_KEY
from octa_kedro.results.stored import Stored
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.fitted import Fitted
from octa_kedro.tuning.config import nest
from octa_kedro.tuning.figure import Searched, search_figure
from tests.tuning.searching import (
    ODD,
    PARAMETERS,
    RATE,
    SPACE,
    SPLITS,
    FakeFit,
    fitted,
    search,
)


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


def test_time_is_up(tmp_path: Path, monkeypatch):
    clock = iter(range(0, 10_000, 50))  # seconds, 50 between two looks
    monkeypatch.setattr("octa_kedro.tuning.search.time.monotonic", lambda: next(clock))
    assert len(search(tmp_path, timeout_minutes=2).trials) == 2  # looks at 0, 50, 100 and 150 s
    with pytest.raises(OctaError, match=r"none of 0 trials is complete.*timeout_minutes"):
        search(tmp_path / "other", timeout_minutes=0.1)


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
