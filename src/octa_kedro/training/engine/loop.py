"""The loop: one readable course of epochs for every network, which can be interrupted at any moment."""

import copy
import hashlib
import json
import logging
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
from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.training.config import FittingConfig
from octa_kedro.training.data.dataset import EyeDataset
from octa_kedro.training.engine.config import StopConfig
from octa_kedro.training.engine.devices import make_fabric, shared_threads
from octa_kedro.training.engine.metrics import memory_gib
from octa_kedro.training.engine.objective import Objective
from octa_kedro.training.engine.stopping import Stopping
from octa_kedro.training.engine.trainer import Purpose, Trainer, make_trainer
from octa_kedro.training.state.recorder import Recorder
from octa_kedro.training.state.workspace import FAILURE, Bench, Workspace, workspace_or_passing

log = logging.getLogger(__name__)

# What a training is made by: a changed line here starts an interrupted training anew.
CODE = ("octa_kedro.training", "octa_kedro.models")
# What changes nothing of a result.
WITHOUT_EFFECT = ("workers", "tracking", "resume", "save_seconds")

Judge = Callable[[Trainer], dict[str, float]]


@dataclass(frozen=True)
class Course:
    """A training from beginning to end: what learns, from what, and how each epoch is judged.

    `judge` is called after every epoch, on every device, and gives columns of the history.
    """

    model: nn.Module
    objective: Objective
    data: EyeDataset
    judge: Judge
    config: FittingConfig
    stop: StopConfig
    purpose: Purpose
    fold: int
    title: str


def course_key(course: Course, **facts: Any) -> str:
    """The name of a training: a hash of where it starts, how it goes on, by which code, and of `facts`, which say
    what it learns from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(course.model.state_dict().items()):
        digest.update(
            name.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return recipe_key(
        start=digest.hexdigest(),
        config={k: v for k, v in course.config.model_dump(mode="json").items() if k not in WITHOUT_EFFECT},
        purpose=list(course.purpose),
        code=[code_fingerprint(*CODE), torch.__version__],
        **facts,
    )


def run_course(
    course: Course, key: str, workspace: Workspace | None
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """Train until the end, from where the `workspace` says it stopped: the history, a row per epoch, and the weights
    of the best one. Without a workspace nothing is left of what is interrupted."""
    with workspace_or_passing(workspace) as place, place.opened(key, {"training": course.title}) as bench:
        if not course.config.resume:
            bench.clear()
        if bench.ended:
            log.info("%s: has been trained with exactly these inputs; taken from %s", course.title, bench.folder)
        else:
            _launch(course, bench)
        state = bench.begun()
        assert state is not None
        return _marked(state["rows"], state["stopping"]["best_epoch"]), bench.best_weights()


def _launch(course: Course, bench: Bench) -> None:
    """Train on one device in this process, or on several in a process each, whose errors are raised here."""
    fabric = make_fabric(course.config)
    if course.config.devices == 1:
        _train(fabric, course, bench)
        return
    (bench.folder / FAILURE).unlink(missing_ok=True)
    try:
        # As one callable: Fabric would look for networks in arguments, and fail in frozen dataclasses.
        fabric.launch(partial(_train_on_a_device, course=course, bench=bench))
    except ProcessException as error:
        raise _failure(bench) or error from error


def _train(fabric: Fabric, course: Course, bench: Bench) -> None:
    """All epochs that are left, until patience runs out."""
    trainer = make_trainer(
        fabric, course.model, course.objective, data=course.data, config=course.config, purpose=course.purpose
    )
    stopping = Stopping(course.stop, course.config.max_epochs)
    state = bench.begun() or {"epoch": 0, "rows": []}
    if state["epoch"]:
        trainer.restore(state["trainer"])
        stopping.restore(state["stopping"])
        log.info("%s: goes on after epoch %d, found in %s", course.title, state["epoch"], bench.folder)
    recorder = Recorder(course.title, course.config, bench, state["epoch"]) if fabric.is_global_zero else None
    best, saved = None, time.monotonic()
    with recorder or nullcontext():
        while not (state["epoch"] and stopping.ends(state["epoch"])):
            number = state["epoch"] + 1
            row = _epoch(trainer, course, number)
            best = trainer.weights() if stopping.improves(number, row) else best
            rows = [*state["rows"], row]
            state = {"epoch": number, "rows": rows, "stopping": stopping.state(), "trainer": trainer.state()}
            if recorder is not None:
                # Storing a network with its optimiser can take as long as a short epoch.
                if stopping.ends(number) or time.monotonic() - saved >= course.config.save_seconds:
                    bench.keep(state, best)
                    best, saved = None, time.monotonic()
                recorder.record(rows, stopping.best_epoch)
    if not stopping.best_epoch:
        raise DataError(
            f"{course.title}: {course.stop.metric} was undefined in every epoch (a class may be missing from the "
            "validation eyes); set stop.metric to val_loss"
        )
    if recorder is not None:
        bench.end(state)


def _epoch(trainer: Trainer, course: Course, number: int) -> dict[str, Any]:
    """Learn and judge once; the row of the history."""
    started, rate = time.perf_counter(), trainer.schedule.rate
    row = {
        "fold": course.fold,
        "epoch": number,
        "train_loss": trainer.epoch(number),
        **course.judge(trainer),
        "lr": rate,
    }
    trainer.schedule.after_epoch(row.get("val_loss", row["train_loss"]))
    return row | {"seconds": time.perf_counter() - started, "memory_gib": memory_gib(trainer.fabric.device)}


def _marked(rows: list[dict[str, Any]], best: int) -> list[dict[str, Any]]:
    """The history with a column that marks the best epoch so far."""
    return [row | {"best": row["epoch"] == best} for row in rows]


def _train_on_a_device(fabric: Fabric, course: Course, bench: Bench) -> None:
    """`_train` in a process of its own, whose errors have to find their way home."""
    # What came from the other process lies in memory that all of them share.
    own = replace(course, model=copy.deepcopy(course.model))
    with shared_threads(fabric):
        try:
            _train(fabric, own, bench)
        except OctaError as error:
            report = {"kind": type(error).__name__, "message": str(error)}
            (bench.folder / FAILURE).write_text(json.dumps(report))
            raise


def _failure(bench: Bench) -> OctaError | None:
    """What a process of this training reported before it ended."""
    path = bench.folder / FAILURE
    if not path.is_file():
        return None
    report = json.loads(path.read_text())
    path.unlink()
    error: OctaError = getattr(errors, report["kind"])(report["message"])
    return error
