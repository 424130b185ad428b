"""What a hyper-parameter search has found, as a table, as parameters to use, and as text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
import pandas as pd
from omegaconf import OmegaConf
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from octa_kedro.errors import OctaError
from octa_kedro.tuning.config import TuningConfig, nest
from octa_kedro.tuning.space import decode
from octa_kedro.tuning.trials import FAILED, finished, folds_of

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
ENOUGH = 20
"""Complete trials below which the importance of a parameter is chance. Where one of six parameters mattered, it was
named in 5 of 6 searches of 20 trials, in 3 of 6 of 12 trials (functional ANOVA: 4 and 4, and of 40 trials 3)."""
BEST_SHARE = 0.25


@dataclass(frozen=True)
class SearchResult:
    """Of a search so far: a row per trial, the best setting, the importance of each parameter (empty if there are
    too few trials to tell), and all of it as text."""

    trials: pd.DataFrame
    best: dict[str, Any]
    importances: dict[str, float]
    report: str


def collect_result(study: optuna.Study, model: str, config: TuningConfig, folds: Sequence[int]) -> SearchResult:
    """What `study` holds; OctaError if none of its trials is complete."""
    trials = finished(study)
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        raise OctaError(
            f"tuning of {model}: none of {len(trials)} trials is complete; run again to resume it, for longer "
            "(tuning.timeout_minutes) or with more tuning.trials"
        )
    table = trial_table(trials, config, folds)
    best = best_setting(table, trials, config, model)
    importances = parameter_importances(study, config)
    return SearchResult(table, best, importances, report_text(table, best, config, importances))


def state_name(trial: FrozenTrial) -> str:
    """complete, pruned or failed."""
    return STATES[trial.state]


def trial_table(trials: Sequence[FrozenTrial], config: TuningConfig, folds: Sequence[int]) -> pd.DataFrame:
    """A row per finished trial, in order.

    Columns: trial (from 1), number (in the study, where interrupted attempts have numbers too), state, value (of a
    pruned trial the mean of its folds so far), fold_<k> and epoch_<k> for each fold, a column per parameter, seconds,
    reason (of a failed one).
    """
    table = pd.DataFrame([_row(place, trial, config, folds) for place, trial in enumerate(trials, start=1)])
    return table.astype({f"epoch_{fold}": "Int64" for fold in folds})  # which knows missing ones


def _row(place: int, trial: FrozenTrial, config: TuningConfig, folds: Sequence[int]) -> dict[str, Any]:
    found = folds_of(trial)
    each = {str(fold): found.get(str(fold), {}) for fold in folds}
    drawn = decode(trial.params, config.space)
    return {
        "trial": place,
        "number": trial.number,
        "state": state_name(trial),
        "value": float("nan") if trial.value is None else trial.value,
        **{f"fold_{fold}": one.get("value", float("nan")) for fold, one in each.items()},
        **{f"epoch_{fold}": one.get("epoch", float("nan")) for fold, one in each.items()},
        **{path: json.dumps(v) if isinstance(v, list | dict) else v for path, v in drawn.items()},
        "seconds": round(sum(one["seconds"] for one in found.values()), 2),
        "reason": trial.user_attrs.get(FAILED, ""),
    }


def best_setting(
    table: pd.DataFrame, trials: Sequence[FrozenTrial], config: TuningConfig, model: str
) -> dict[str, Any]:
    """The best complete trial, of equal ones the first.

    `parameters` can be copied into a parameters file as they stand, `command` given on the command line.
    """
    values = table["value"].where(table["state"] == "complete")
    place = int((values if config.goal == "maximise" else -values).argmax())
    trial = trials[place]
    drawn = decode(trial.params, config.space)
    folds = folds_of(trial)
    return {
        "model": model,
        "search": config.name,
        "metric": config.metric,
        "direction": config.goal,
        "value": trial.value,
        "trial": place + 1,
        "trials": len(table),
        "folds": {fold: one["value"] for fold, one in folds.items()},
        "epochs": {fold: int(one["epoch"]) for fold, one in folds.items()},
        "parameters": {model: nest(drawn)},
        "command": "--params " + ",".join(f"{model}.{path}={_word(value)}" for path, value in drawn.items()),
    }


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def parameter_importances(study: optuna.Study, config: TuningConfig) -> dict[str, float]:
    """Share of each parameter in what sets the best quarter of the trials apart (PED-ANOVA, Watanabe et al. 2023),
    largest first.

    Empty with fewer than `ENOUGH` complete trials, a single parameter, or values that are all the same.
    """
    values = {trial.value for trial in finished(study) if trial.state == TrialState.COMPLETE}
    complete = sum(trial.state == TrialState.COMPLETE for trial in finished(study))
    if complete < ENOUGH or len(values) < 2 or len(config.space) < 2:
        return {}
    evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator, params=sorted(config.space))
    return {path: float(share) for path, share in shares.items()}


def report_text(
    table: pd.DataFrame, best: Mapping[str, Any], config: TuningConfig, importances: Mapping[str, float]
) -> str:
    """All of it in words, with what to copy."""
    seconds = table["seconds"].sum()
    counts = table["state"].value_counts()
    states = ", ".join(f"{counts[state]} {state}" for state in STATES.values() if state in counts)
    folds = ", ".join(
        f"{value:.4g} (fold {fold}, epoch {best['epochs'][fold]})" for fold, value in best["folds"].items()
    )
    lines = [
        f"Search {config.name!r} for {best['model']}: {len(table)} trials ({states}), {seconds:.0f} s of training.",
        f"{config.metric}, mean over validation folds, to {config.goal}: {best['value']:.4g} in trial {best['trial']}.",
        f"By fold: {folds}.",
        "",
        "To use it, copy into conf/local/parameters.yml:",
        "",
        OmegaConf.to_yaml(OmegaConf.create(best["parameters"])).rstrip(),
        "",
        "or add to the command:",
        "",
        f"  {best['command']}",
        "",
    ]
    if importances:
        shares = ", ".join(f"{path} {share:.2f}" for path, share in importances.items())
        lines += [f"Share of each parameter in what sets the best quarter of the trials apart: {shares}.", ""]
    for reason in table.loc[table["state"] == "failed", "reason"].unique():
        lines.append(f"Failed: {reason}")
    lines += [
        "The folds chose these parameters, so out-of-fold figures of a training that uses them are optimistic.",
        "Held-out eyes took no part: their figures are not.",
    ]
    return "\n".join(lines) + "\n"
