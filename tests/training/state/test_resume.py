"""A training that was killed and started again ends with the bits of one that was not."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from octa_kedro.errors import CheckpointError, ConfigError, DataError
from octa_kedro.results.code import code_of
from octa_kedro.training.autoencoder import fit_autoencoder
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.engine import loop
from octa_kedro.training.engine.trainer import Trainer
from octa_kedro.training.fitted import Fitted
from octa_kedro.training.predict import predict_fold
from octa_kedro.training.state import run_folders
from octa_kedro.training.state.run_folders import STATE, RunFolder, RunFolders
from tests.conftest import ROOT
from tests.training.conftest import MODEL_3D
from tests.training.test_training import PROCESSING, changed

MEASURED = ["seconds", "memory_gib"]  # of the history: what a repetition cannot repeat


class Interruption(BaseException):
    """Stands for a kill: nothing in the code may catch it."""


# All that has a state or draws by chance.
EVERYTHING = {
    "model": MODEL_3D | {"dropout": 0.3},
    "max_epochs": 4,
    "batch_size": 3,
    "accumulate": 2,
    "sampling": "balanced",
    "mixup": 0.4,
    "ema": 0.9,
    "clip_norm": 1.0,
    "optimiser": {"learning_rate": 0.003},
    "schedule": {"name": "plateau", "warm_up": 0.3, "patience": 1},
    "augmentation": {"shift": 0.1, "rotation": 5, "noise": 0.05},
    "device": "cpu",
    "save_seconds": 0,
}


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig.model_validate(EVERYTHING)


@pytest.fixture(scope="module")
def whole(volumes, table) -> Fitted:
    """What a training that nothing interrupts ends with."""
    return fit_classifier(volumes, table, TrainingConfig.model_validate(EVERYTHING), PROCESSING)


def assert_same(one: Fitted, other: Fitted) -> None:
    weights = one.checkpoint.weights, other.checkpoint.weights
    assert weights[0].keys() == weights[1].keys()
    assert [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])] == []
    pd.testing.assert_frame_equal(one.history.drop(columns=MEASURED), other.history.drop(columns=MEASURED))
    assert one.checkpoint.card == other.checkpoint.card


def interrupt(monkeypatch, where: type, name: str, *, call: int, before: bool) -> Callable[[], None]:
    """Let the `call`-th call of a method end everything, before or after it does its work."""
    original, count = getattr(where, name), iter(range(1, 10_000))

    def method(*args, **kwargs):
        mine = next(count)
        if mine == call and before:
            raise Interruption
        made = original(*args, **kwargs)
        if mine == call:
            raise Interruption
        return made

    monkeypatch.setattr(where, name, method)
    return lambda: monkeypatch.setattr(where, name, original)


@pytest.mark.parametrize(
    ("where", "name", "call", "before"),
    [
        (Trainer, "_learn", 1, True),  # before anything is learnt
        (Trainer, "_learn", 12, False),  # in the middle of an epoch, within an accumulated step
        (Trainer, "_step", 7, False),  # between two steps
        (Trainer, "weights", 1, True),  # judged, not yet stored
        (RunFolder, "keep", 3, False),  # stored
        (RunFolder, "end", 1, True),  # trained, not yet tidied up
        (RunFolder, "end", 1, False),  # all done but the return
    ],
)
def test_wherever_it_is_interrupted(*, monkeypatch, tmp_path, volumes, table, config, whole, where, name, call, before):
    undo = interrupt(monkeypatch, where, name, call=call, before=before)
    with pytest.raises(Interruption):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    undo()
    again = fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    assert_same(whole, again)
    predictions = [predict_fold(volumes, table, one.checkpoint, config) for one in (whole, again)]
    pd.testing.assert_frame_equal(*predictions)


STEADIED = {
    "averaged over epochs": {"swa": 0.4, "stop": {"keep_from": 0.4}},
    "sharpness-aware": {"sam": 0.05, "accumulate": 1},
    "the last epoch": {"stop": {"keep": "last"}, "ema": 0.9},
}


@pytest.mark.parametrize("name", STEADIED)
def test_steadier_trainings_resume_too(*, monkeypatch, tmp_path, volumes, table, config, name):
    config = changed(config, **({"ema": None} | STEADIED[name]))
    whole = fit_classifier(volumes, table, config, PROCESSING)
    undo = interrupt(monkeypatch, RunFolder, "keep", call=3, before=False)
    with pytest.raises(Interruption):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    undo()
    assert_same(whole, fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path)))


@pytest.mark.parametrize("function", ["write_text", "save_state"])
def test_interrupted_between_the_two_files_of_its_end(
    *, monkeypatch, tmp_path, volumes, table, config, whole, function
):
    original, end = getattr(run_folders, function), RunFolder.end

    def interrupted_end(self: RunFolder, state) -> None:
        monkeypatch.setattr(run_folders, function, interrupt_now)
        end(self, state)

    def interrupt_now(*_: object) -> None:
        raise Interruption

    monkeypatch.setattr(RunFolder, "end", interrupted_end)
    with pytest.raises(Interruption):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    monkeypatch.setattr(RunFolder, "end", end)
    monkeypatch.setattr(run_folders, function, original)
    again = fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    assert_same(whole, again)


def test_best_weights_written_without_their_state_do_no_harm(*, monkeypatch, tmp_path, volumes, table, config, whole):
    original, files = run_folders.save_state, []

    def save(path: Path, tree) -> None:
        if path.name == STATE and len(files) >= 3:
            raise Interruption
        original(path, tree)
        files.append(path)

    monkeypatch.setattr(run_folders, "save_state", save)
    with pytest.raises(Interruption):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    monkeypatch.setattr(run_folders, "save_state", original)
    again = fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    assert_same(whole, again)


def test_the_autoencoder_goes_on_too(monkeypatch, tmp_path, volumes, table, encoder_config):
    whole = fit_autoencoder(volumes, table, encoder_config, PROCESSING)
    undo = interrupt(monkeypatch, RunFolder, "keep", call=1, before=False)
    with pytest.raises(Interruption):
        fit_autoencoder(volumes, table, encoder_config, PROCESSING, run_folders=RunFolders(tmp_path))
    undo()
    assert_same(whole, fit_autoencoder(volumes, table, encoder_config, PROCESSING, run_folders=RunFolders(tmp_path)))


def count_epochs(monkeypatch) -> list[int]:
    trained, original = [], Trainer.epoch

    def epoch(self: Trainer, number: int) -> float:
        trained.append(number)
        return original(self, number)

    monkeypatch.setattr(Trainer, "epoch", epoch)
    return trained


def test_what_has_ended_is_not_trained_again_while_nothing_changes(monkeypatch, tmp_path, volumes, table, config):
    config, run_folders = changed(config, max_epochs=2), RunFolders(tmp_path)
    first = fit_classifier(volumes, table, config, PROCESSING, run_folders=run_folders)
    trained = count_epochs(monkeypatch)
    assert_same(first, fit_classifier(volumes, table, config, PROCESSING, run_folders=run_folders))
    assert trained == []
    # The number of reading processes changes nothing of the result, the seed does.
    fit_classifier(volumes, table, changed(config, workers=1), PROCESSING, run_folders=run_folders)
    assert trained == []
    fit_classifier(volumes, table, changed(config, seed=1), PROCESSING, run_folders=run_folders)
    assert trained == [1, 2]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1  # the one that ended before is cleared away
    again = changed(config, seed=1, resume=False)
    fit_classifier(volumes, table, again, PROCESSING, run_folders=run_folders)
    assert trained == [1, 2, 1, 2]


@pytest.mark.parametrize("change", ["modules", "libraries"])
def test_other_code_or_libraries_are_another_training(*, change, monkeypatch, caplog, tmp_path, volumes, table, config):
    config, run_folders = changed(config, max_epochs=1), RunFolders(tmp_path)
    fit_classifier(volumes, table, config, PROCESSING, run_folders=run_folders)
    trained, now = count_epochs(monkeypatch), code_of(fit_classifier)
    other = replace(now, **{change: getattr(now, change) | {"octa_kedro.models.vgg": "edited"}})
    monkeypatch.setattr(loop, "code_of", lambda *_: other)
    fit_classifier(volumes, table, config, PROCESSING, run_folders=run_folders)
    assert trained == [1]
    assert "trained before: " in caplog.text
    assert "models.vgg" in caplog.text


def test_other_images_are_another_training(monkeypatch, tmp_path, volumes, table, config):
    config, run_folders = changed(config, max_epochs=1), RunFolders(tmp_path)
    fit_classifier(volumes, table, config, PROCESSING, run_folders=run_folders)
    trained = count_epochs(monkeypatch)
    a, b, *_ = table.loc[table["role"] == "train", "subject"]
    swapped = volumes | {a: volumes[b], b: volumes[a]}
    fit_classifier(swapped, table, config, PROCESSING, run_folders=run_folders)
    assert trained == [1]


def test_a_damaged_state_is_named_and_not_guessed_at(monkeypatch, tmp_path, volumes, table, config):
    interrupt(monkeypatch, RunFolder, "keep", call=2, before=False)
    with pytest.raises(Interruption):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    (state,) = tmp_path.glob(f"*/{STATE}")
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=rf"{STATE}: .*delete it"):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))


def test_two_processes_do_not_train_the_same(tmp_path):
    with RunFolders(tmp_path).opened("a" * 40, {}), pytest.raises(ConfigError, match="another process is running this"):
        RunFolders(tmp_path).opened("a" * 40, {}).__enter__()
    with RunFolders(tmp_path).opened("a" * 40, {}):
        pass


def test_a_full_disk_stops_it_and_loses_nothing(*, monkeypatch, tmp_path, volumes, table, config, whole):
    from octa_kedro.training.state import state_file

    original, calls = state_file.save_file, iter(range(100))

    def full(*args, **kwargs) -> None:
        if next(calls) >= 4:
            raise OSError(28, "No space left on device")
        original(*args, **kwargs)

    monkeypatch.setattr(state_file, "save_file", full)
    with pytest.raises(DataError, match="the disk is full"):
        fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path))
    monkeypatch.setattr(state_file, "save_file", original)
    assert_same(whole, fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(tmp_path)))


def kill(folder: Path, kills: int) -> str:
    """What `kills.py` says."""
    command = [sys.executable, "-m", "tests.training.state.kills", str(folder), str(kills), "0"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, env=one_thread, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_real_kills(tmp_path: Path):
    assert kill(tmp_path, 2) == "2 kills, 2 identical ends\n"


@pytest.mark.slow
def test_twenty_kills_and_twenty_identical_ends(tmp_path: Path):
    assert kill(tmp_path, 20) == "20 kills, 20 identical ends\n"
