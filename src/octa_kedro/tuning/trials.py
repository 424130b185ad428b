"""The trials of a study, each under a seal: what the file says of one must be what its own trainings gave.

A study is a database that grows while it is in use, so that a seal of the whole file would be wrong most of the time.
"""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from octa_kedro.errors import DataError
from octa_kedro.results.keys import hash_of

FOLDS, FAILED, SEAL = "folds", "failed", "seal"  # attributes of a trial
DRAWN = "fixed_params"  # Optuna's attribute of a trial that is in the queue with its parameters
START_OVER = "restore it from a copy, or delete it to start over"

Folds = dict[str, dict[str, float]]


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count, in the order they were begun: complete, pruned, or failed for a reason of their own."""
    return [trial for trial in study.get_trials(deepcopy=False) if _counts(trial)]


def _counts(trial: FrozenTrial) -> bool:
    ended = trial.state in {TrialState.COMPLETE, TrialState.PRUNED}
    return ended or (trial.state == TrialState.FAIL and FAILED in trial.user_attrs)


def folds_of(trial: FrozenTrial | optuna.Trial) -> Folds:
    """What the folds that a trial has finished gave, by their numbers: value, epoch and seconds."""
    return dict(trial.user_attrs.get(FOLDS, {}).get(FOLDS, {}))


def store_folds(trial: optuna.Trial, folds: Mapping[str, Mapping[str, float]]) -> None:
    """Store what the folds so far gave, with a seal that goes on with them if the trial is interrupted."""
    name = trial.study.study_name
    trial.set_user_attr(FOLDS, {FOLDS: folds, SEAL: hash_of(study=name, params=trial.params, folds=folds)})


def end_trial(trial: optuna.Trial, state: TrialState, value: float | None = None, reason: str = "") -> None:
    """End a trial with its value, or the reason why it failed, under a seal of all that will be read of it."""
    study = trial.study
    there = study.get_trials(deepcopy=False)[trial.number]
    if state == TrialState.PRUNED:  # Optuna keeps the last one that was reported
        value = there.intermediate_values[max(there.intermediate_values)]
    trial.set_user_attr(SEAL, _seal(study.study_name, there, state, value, reason))
    if reason:
        trial.set_user_attr(FAILED, reason)
    study.tell(trial, None if state == TrialState.PRUNED else value, state)


def revive(study: optuna.Study, dimensions: int) -> None:
    """Mark trials that a killed process left running as failed, and put what they tried, with the folds that they had
    finished, first in the queue.

    One that was killed before all of its `dimensions` were drawn is not queued: the next draw gives the same. Nor is
    one that had failed for a reason of its own.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if len(trial.params) == dimensions and FAILED not in trial.user_attrs:
            done = {FOLDS: trial.user_attrs[FOLDS]} if FOLDS in trial.user_attrs else {}
            study.enqueue_trial(trial.params, user_attrs=done)


def require_sealed_trials(path: Any, study: optuna.Study) -> None:
    """DataError if a trial of the study at `path` is not as it was written, or one in the middle is gone."""
    trials = study.get_trials(deepcopy=False)
    for place, trial in enumerate(trials):
        whole = trial.number == place and _folds_are_whole(study.study_name, trial)
        if whole and _counts(trial):
            reason = trial.user_attrs.get(FAILED, "")
            sealed = _seal(study.study_name, trial, trial.state, trial.value, reason)
            whole = trial.user_attrs.get(SEAL) == sealed
        if not whole:
            raise DataError(
                f"{path}: trial {place} of the search {study.study_name!r} has changed since it was written (its "
                f"value, its parameters or its folds were edited, or it was deleted); {START_OVER}"
            )


def _folds_are_whole(name: str, trial: FrozenTrial) -> bool:
    stored = trial.user_attrs.get(FOLDS)
    if stored is None:
        return True
    drawn = {**trial.system_attrs.get(DRAWN, {}), **trial.params}
    known = isinstance(stored, dict) and stored.keys() == {FOLDS, SEAL}
    return known and stored[SEAL] == hash_of(study=name, params=drawn, folds=stored[FOLDS])


def _seal(name: str, trial: FrozenTrial, state: TrialState, value: float | None, reason: str) -> str:
    return hash_of(
        study=name,
        number=trial.number,
        state=state.name,
        value=value,
        params=trial.params,
        folds=folds_of(trial),
        reports=sorted(trial.intermediate_values.items()),
        reason=reason,
    )
