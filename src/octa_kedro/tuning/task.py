"""What every trial of a hyper-parameter search shares, and the settings that make two trials comparable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from octa_kedro import __version__
from octa_kedro.cohort.columns import subjects_of
from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.keys import hash_of
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.engine.loop import WITHOUT_EFFECT
from octa_kedro.training.guard import patients_in, require_sound_fold
from octa_kedro.tuning.config import TuningConfig, nest


@dataclass(frozen=True)
class Task:
    """What every trial of a search shares: `images` and `tables` hold development subjects only, tables by fold."""

    model: str
    images: Mapping[str, Stored]
    tables: Mapping[int, pd.DataFrame]
    parameters: Mapping[str, Any]
    processing: ProcessingConfig
    pretrained: Mapping[int, Checkpoint]
    tuning: TuningConfig


def development(tables: Mapping[int, pd.DataFrame], folds: Iterable[int]) -> dict[int, pd.DataFrame]:
    """The tables of `folds` without held-out subjects.

    LeakError if a patient has eyes in two parts of a fold, or is held out in one fold and used in another.
    """
    held_out = {subject for table in tables.values() for subject in subjects_of(table, "held_out")}
    patients = patients_in(pd.concat(tables.values()))
    kept = {}
    for fold in folds:
        table = tables[fold]
        require_sound_fold(table)
        used = table[table["role"] != "held_out"].reset_index(drop=True)
        learner = f"the search in fold {fold}"
        subjects = used["subject"].astype(str)
        require_disjoint(held_out, subjects, judge="the held-out part", learner=learner, patients=patients)
        kept[fold] = used
    return kept


def settings_of(task: Task) -> dict[str, Any]:
    """All that makes two trials comparable; searches with other settings do not share a study."""
    given = TrainingConfig.model_validate(task.parameters)
    plain = given.model_dump(mode="json")
    if any(path.startswith("model.") for path in task.tuning.space):
        plain["model"] = task.parameters["model"]  # as given: the rest follows from what is drawn
    encoders = {
        str(fold): checkpoint.card.weights_sha256
        for fold, checkpoint in task.pretrained.items()
        if fold in task.tables and (given.start.weights == "pretraining" or "start.weights" in task.tuning.space)
    }
    tuning = task.tuning.model_dump(mode="json", exclude={"name", "trials", "timeout_minutes", "folds", "direction"})
    return {
        "tuning": tuning | {"direction": task.tuning.goal},
        task.model: _without(plain, [*task.tuning.space, *WITHOUT_EFFECT]),
        "processing": task.processing.model_dump(mode="json"),
        "folds": {str(fold): _summary(table) for fold, table in task.tables.items()},
        "images": {"eyes": len(task.images), "hash": hash_of(**{s: i.sha256 for s, i in task.images.items()})[:12]},
        "pretraining": encoders,
        "octa_kedro": __version__,
    }


def _without(plain: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A copy without what the dotted `paths` lead to."""
    gone = nest(dict.fromkeys(paths))
    return {
        key: _without(value, gone[key]) if isinstance(value, Mapping) and isinstance(gone.get(key), Mapping) else value
        for key, value in plain.items()
        if key not in gone or isinstance(gone[key], Mapping)
    }


def _summary(table: pd.DataFrame) -> dict[str, Any]:
    counts = table["role"].value_counts()
    rows = table[["subject", "role", "target"]].astype(str).to_numpy().tolist()
    return {**{str(role): int(n) for role, n in counts.items()}, "hash": hash_of(rows=rows)[:12]}
