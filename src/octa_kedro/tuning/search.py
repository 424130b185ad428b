"""Hyper-parameter search over validation folds: a killed one resumes; held-out eyes are never used."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from optuna.trial import TrialState
from pydantic import ValidationError

from octa_kedro.config import first_problem
from octa_kedro.errors import ConfigError, DataError, DivergedError, OctaError
from octa_kedro.io.kept import note_kept
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.code import code_of
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.fitted import Fitted
from octa_kedro.tuning.config import TuningConfig, check_space, nest
from octa_kedro.tuning.result import SearchResult, collect_result, state_name
from octa_kedro.tuning.space import decode, distributions
from octa_kedro.tuning.study import StudyFile, make_pruner, make_sampler
from octa_kedro.tuning.task import Task, development, settings_of
from octa_kedro.tuning.trials import FAILED, end_trial, finished, folds_of, revive, store_folds

GIVE_UP = 3
"""If so many trials fail before any is complete, the space or the data are at fault, not the settings drawn."""

LONGEST_REASON = 300

Fit = Callable[
    [Mapping[str, Stored], pd.DataFrame, TrainingConfig, ProcessingConfig, Checkpoint | None],
    Fitted,
]

log = logging.getLogger(__name__)


class TrialError(Exception):
    """Why one setting could not be scored; the search continues with the next."""


def search_parameters(
    study_file: StudyFile,
    images: Mapping[str, Stored],
    tables: Iterable[pd.DataFrame],
    *,
    parameters: Mapping[str, Any],
    processing: ProcessingConfig,
    tuning: TuningConfig,
    pretrained: Mapping[int, Checkpoint] | None = None,
    fit: Fit = fit_classifier,
) -> SearchResult:
    """Start the search stored in `study_file`, or resume it, until `tuning.trials` are finished in all.

    `parameters` are the model's as they were given, without what follows from them; `tables` the fold tables,
    `pretrained` the encoders by fold. A trial is the mean over folds of the metric at the epoch that each keeps. One
    whose training diverges or runs out of memory fails with its reason. ConfigError for a space that does not fit the
    parameters, or a study made with other settings; LeakError and DataError of the cohort stop the search at once.
    """
    by_fold = {int(table["fold"].iloc[0]): table for table in tables if len(table)}
    if not by_fold:
        raise DataError("the splits hold no subject to train on; the cohort is empty or unlabelled (cohort.labelled)")
    check_space(tuning, study_file.model, parameters, sorted(by_fold))
    kept = development(by_fold, tuning.folds or sorted(by_fold))
    seen = sorted({str(subject) for table in kept.values() for subject in table["subject"]} & images.keys())
    known = {subject: images[subject] for subject in seen}
    processing = require_processed_as(known, processing, who="params:processing")
    task = Task(study_file.model, known, kept, parameters, processing, dict(pretrained or {}), tuning)
    with study_file.open(tuning.name, tuning.goal, settings_of(task), code_of(run_trial, fit)) as study:
        revive(study, len(tuning.space))
        _run_trials(study, task, fit)
        return collect_result(study, study_file.model, tuning, list(kept))


def _run_trials(study: optuna.Study, task: Task, fit: Fit) -> None:
    """Trials until there are enough or time is up; OctaError if the first ones all fail."""
    minutes = task.tuning.timeout_minutes
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    failures = 0
    study.pruner = make_pruner(task.tuning)
    while (begun := len(done := finished(study))) < task.tuning.trials:
        if time.monotonic() > deadline:
            log.warning("tuning.timeout_minutes are over after %d of %d trials", begun, task.tuning.trials)
            return
        study.sampler = make_sampler(task.tuning, begun)
        run_trial(study, task, fit)
        last = finished(study)[-1]
        _report_progress(study, task, begun + 1)
        note_kept(f"tuning of {task.model}", begun + 1, task.tuning.trials, "trials")
        failures += last.state == TrialState.FAIL
        if failures >= min(GIVE_UP, task.tuning.trials) and not any(t.state == TrialState.COMPLETE for t in done):
            raise OctaError(
                f"tuning of {task.model}: {failures} trials failed and none is complete. The last: "
                f"{last.user_attrs[FAILED]}; change tuning.space or the parameters of {task.model}"
            )


def run_trial(study: optuna.Study, task: Task, fit: Fit) -> None:
    """Draw a setting, train every fold with it, and store the result in the study; folds that an interrupted trial had
    finished are not trained again."""
    trial = study.ask(distributions(task.tuning.space))
    folds = folds_of(trial)
    values: list[float] = []
    try:
        config = _configured(task, decode(trial.params, task.tuning.space))
        for step, fold in enumerate(task.tables, start=1):
            if str(fold) not in folds:
                folds[str(fold)] = _train_fold(task, config, fold, fit)
                store_folds(trial, folds)
            values.append(folds[str(fold)]["value"])
            trial.report(float(np.mean(values)), step)
            if step < len(task.tables) and trial.should_prune():
                end_trial(trial, TrialState.PRUNED)
                return
    except TrialError as error:
        end_trial(trial, TrialState.FAIL, reason=str(error))
    else:
        end_trial(trial, TrialState.COMPLETE, float(np.mean(values)))


def _configured(task: Task, drawn: Mapping[str, Any]) -> TrainingConfig:
    try:
        return TrainingConfig.model_validate(nest(drawn, task.parameters))
    except ValidationError as error:
        raise TrialError(f"these parameters do not go together: {first_problem(error, TrainingConfig)}") from error


def _train_fold(task: Task, config: TrainingConfig, fold: int, fit: Fit) -> dict[str, float]:
    """The metric at the kept epoch of one fold, that epoch, and the seconds it took."""
    started = time.perf_counter()
    history = _fit(task, config, fold, fit).history
    seconds = time.perf_counter() - started
    metric = task.tuning.metric
    if metric not in history or not pd.api.types.is_numeric_dtype(history[metric]):
        known = ", ".join(name for name in map(str, history) if pd.api.types.is_float_dtype(history[name]))
        raise ConfigError(f"parameter tuning.metric: the history has no column {metric!r}; choose one of {known}")
    best = history[history["best"].astype(bool)].tail(1)
    value = float(best[metric].iloc[0]) if len(best) else math.nan
    if not math.isfinite(value):
        raise TrialError(f"fold {fold}: {metric} is not defined at the epoch that is kept")
    return {"value": value, "epoch": int(best["epoch"].iloc[0]), "seconds": round(seconds, 2)}


def _fit(task: Task, config: TrainingConfig, fold: int, fit: Fit) -> Fitted:
    """Train one fold; TrialError if these parameters are at fault, any other error if the data or the machine are."""
    try:
        return fit(task.images, task.tables[fold], config, task.processing, task.pretrained.get(fold))
    except (ConfigError, DataError, ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        if _stops(error):
            raise
        torch.cuda.empty_cache()
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST_REASON]
        raise TrialError(reason if reason.startswith("fold ") else f"fold {fold}: {reason}") from error


def _stops(error: Exception) -> bool:
    """Whether an error in training would meet every other setting as well: bad data, or a device that has failed."""
    if isinstance(error, DataError):
        return not isinstance(error, DivergedError)
    return isinstance(error, torch.AcceleratorError) and not isinstance(error, torch.OutOfMemoryError)


def _report_progress(study: optuna.Study, task: Task, number: int) -> None:
    trials = finished(study)
    last, complete = trials[-1], [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
    best = (max if task.tuning.goal == "maximise" else min)(complete) if complete else math.nan
    outcome = last.user_attrs.get(FAILED) or f"{task.tuning.metric} {last.value:.4g}"
    log.info(
        "tuning of %s, trial %d of %d %s: %s (best %.4g)",
        task.model,
        number,
        task.tuning.trials,
        state_name(last),
        outcome,
        best,
    )
