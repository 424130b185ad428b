"""The training loop of every network: epoch after epoch, and it can be interrupted at any moment."""

import copy
import logging
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.multiprocessing.spawn import ProcessException

from octa_kedro import errors
from octa_kedro.errors import DataError, OctaError
from octa_kedro.io.kept import note_kept
from octa_kedro.io.notes import recall_note, write_note
from octa_kedro.results.changes import tell_retrained
from octa_kedro.results.code import code_of
from octa_kedro.results.keys import Key, hash_of, without
from octa_kedro.training.config import FittingConfig
from octa_kedro.training.data.dataset import EyeDataset, ending_workers
from octa_kedro.training.engine.config import StopConfig
from octa_kedro.training.engine.devices import make_fabric, shared_threads
from octa_kedro.training.engine.metrics import memory_gib
from octa_kedro.training.engine.objective import Objective
from octa_kedro.training.engine.stopping import Stopping
from octa_kedro.training.engine.trainer import Purpose, Trainer, make_trainer
from octa_kedro.training.state.history import complete_history
from octa_kedro.training.state.recorder import Recorder
from octa_kedro.training.state.run_folders import ABOUT, FAILURE, RunFolder, RunFolders, run_folders_or_temporary
from octa_kedro.training.state.state_file import hash_tensors

log = logging.getLogger(__name__)

WITHOUT_EFFECT = {
    "workers": "says how many processes read images",
    "tracking": "says where else the history is sent",
    "resume": "says whether an earlier training of the same key is used",
    "save_seconds": "says how often the state is stored",
}
"""Parameters that do not change the result."""

Validator = Callable[[Trainer], dict[str, float]]


@dataclass(frozen=True)
class TrainingRun:
    """A training from beginning to end: which network learns, from which data, and how each epoch is validated.

    `validate` is called after every epoch, on every device, and returns columns of the history.
    """

    model: nn.Module
    objective: Objective
    data: EyeDataset
    validate: Validator
    config: FittingConfig
    stop: StopConfig
    purpose: Purpose
    fold: int
    title: str


def training_key(run: TrainingRun, *makers: object, **facts: Any) -> Key:
    """The key of a training run: its start weights, its configuration, the code of `makers`, which fit the model, with
    its libraries, and `facts`, which say what it learns from."""
    ingredients = hash_of(
        start=hash_tensors(run.model.state_dict()),
        config=without(run.config, WITHOUT_EFFECT),
        purpose=list(run.purpose),
        **facts,
    )
    return Key(ingredients, code_of(*makers))


def run_training(
    run: TrainingRun, key: Key, run_folders: RunFolders | None
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """Train until the end, resuming from the state stored in `run_folders`: the history, a row per epoch, and the
    weights of the best epoch. Without `run_folders` an interrupted training cannot be resumed."""
    about = {"training": run.title} | key.to_json()
    if run_folders is not None:
        about["saved_as"] = run_folders.saved_as
        tell_retrained(run_folders.folder, ABOUT, key, run.title)
    with run_folders_or_temporary(run_folders) as place, place.opened(key.name, about) as run_folder:
        if not run.config.resume:
            run_folder.clear()
        if run_folder.ended:
            log.info("%s: was already trained with exactly these inputs; taken from %s", run.title, run_folder.path)
        else:
            _launch(run, run_folder)
        state = run_folder.stored_state()
        assert state is not None
        rows, best = state["rows"], state["stopping"]["best_epoch"]
        if run_folder.lasting:
            complete_history(run_folder.path, rows, best)
        return _marked(rows, best, run), run_folder.best_weights()


def _launch(run: TrainingRun, run_folder: RunFolder) -> None:
    """Train on one device in this process, or on several in one process each, whose errors are re-raised here."""
    fabric = make_fabric(run.config)
    if run.config.devices == 1:
        _train(fabric, run, run_folder)
        return
    (run_folder.path / FAILURE).unlink(missing_ok=True)
    try:
        # As one callable: Fabric would look for networks in arguments, and fail in frozen dataclasses.
        fabric.launch(partial(_train_on_a_device, run=run, run_folder=run_folder))
    except ProcessException as error:
        raise _failure(run_folder) or error from error


@ending_workers()
def _train(fabric: Fabric, run: TrainingRun, run_folder: RunFolder) -> None:
    """All remaining epochs, or until patience runs out."""
    trainer = make_trainer(
        fabric,
        run.model,
        run.objective,
        data=run.data,
        config=run.config,
        purpose=run.purpose,
        better=run.stop.better,
    )
    stopping = Stopping(run.stop, run.config.max_epochs)
    state = run_folder.stored_state() or {"epoch": 0, "rows": []}
    if state["epoch"]:
        trainer.restore(state["trainer"])
        stopping.restore(state["stopping"])
        log.info("%s: resumes after epoch %d, stored in %s", run.title, state["epoch"], run_folder.path)
    recorder = Recorder(run.title, run.config, run_folder, state["epoch"]) if fabric.is_global_zero else None
    best, saved = None, time.monotonic()
    with recorder or nullcontext():
        while not (state["epoch"] and stopping.ends(state["epoch"])):
            number = state["epoch"] + 1
            row = _epoch(trainer, run, number)
            best = trainer.weights() if stopping.improves(number, row) else best
            rows = [*state["rows"], row]
            state = {"epoch": number, "rows": rows, "stopping": stopping.state(), "trainer": trainer.state()}
            if recorder is not None:
                # Storing a network with its optimiser can take as long as a short epoch.
                if stopping.ends(number) or time.monotonic() - saved >= run.config.save_seconds:
                    run_folder.keep(state, best)
                    note_kept(run.title, number, run.config.max_epochs, "epochs")
                    best, saved = None, time.monotonic()
                recorder.record(rows, stopping.best_epoch)
    if not stopping.best_epoch:
        raise DataError(
            f"{run.title}: {run.stop.metric} was undefined in every epoch (a class may be missing from the "
            "validation eyes); set stop.metric to val_loss"
        )
    if recorder is not None:
        run_folder.end(state)
        note_kept(run.title, 1, 1, "training")


def _epoch(trainer: Trainer, run: TrainingRun, number: int) -> dict[str, Any]:
    """Train and validate one epoch; its row of the history."""
    started, rate = time.perf_counter(), trainer.schedule.rate
    row = {
        "fold": run.fold,
        "epoch": number,
        "train_loss": trainer.epoch(number),
        **run.validate(trainer),
        "lr": rate,
    }
    trainer.schedule.after_epoch(row[run.stop.metric])
    return row | {"seconds": time.perf_counter() - started, "memory_gib": memory_gib(trainer.fabric.device)}


def _marked(rows: list[dict[str, Any]], best: int, run: TrainingRun) -> list[dict[str, Any]]:
    """The history with columns that mark the best epoch, and say by which metric, and from which epoch on, it was
    chosen."""
    share = 0.0 if run.stop.keep == "last" else run.stop.keep_from
    first = math.floor(share * run.config.max_epochs) + 1
    return [row | {"best": row["epoch"] == best, "best_by": run.stop.chosen_by, "kept_from": first} for row in rows]


def _train_on_a_device(fabric: Fabric, run: TrainingRun, run_folder: RunFolder) -> None:
    """`_train` in a process of its own; its errors are re-raised in the parent process (`_failure`)."""
    # The network arrives in memory that all processes share; each needs its own.
    own = replace(run, model=copy.deepcopy(run.model))
    with shared_threads(fabric):
        try:
            _train(fabric, own, run_folder)
        except OctaError as error:
            report = {"kind": type(error).__name__, "message": str(error)}
            write_note(run_folder.path / FAILURE, report)
            raise


def _failure(run_folder: RunFolder) -> OctaError | None:
    """What a process of this training reported before it ended."""
    path = run_folder.path / FAILURE
    report = recall_note(path)
    if report is None:
        return None
    path.unlink()
    error: OctaError = getattr(errors, report["kind"])(report["message"])
    return error
