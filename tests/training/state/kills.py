"""Run as a program: kills trainings at random moments, starts them again, and compares what they end with.

In a process of its own with one thread, because a fork of a process that has used several can hang.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from octa_kedro.cohort.splits import fold_table
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.predict import predict_fold
from octa_kedro.training.state.run_folders import RunFolders
from tests.conftest import splits_table
from tests.training.conftest import blob_volume, store_items
from tests.training.state.test_resume import EVERYTHING, assert_same
from tests.training.test_training import PROCESSING


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Run `work` in a forked process and kill it after a time; whether it was still at it."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(folder: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    splits, chance = splits_table(), random.Random(seed)
    table, config = fold_table(splits, 1), TrainingConfig.model_validate(EVERYTHING)
    pairs = zip(splits["subject"], splits["target"], strict=True)
    volumes = store_items(folder / "volumes", {s: blob_volume(i, bool(t)) for i, (s, t) in enumerate(pairs)})

    def train(name: str) -> object:
        return fit_classifier(volumes, table, config, PROCESSING, run_folders=RunFolders(folder / name))

    started = time.perf_counter()
    whole = train("whole")
    took, hits = time.perf_counter() - started, 0
    expected = predict_fold(volumes, table, whole.checkpoint, config)
    for number in range(kills):
        name = f"killed {number}"
        while not killed_after(chance.uniform(0, took), lambda name=name: train(name)):
            name += "'"  # it had ended: another one is needed
        hits += 1
        again = train(name)
        assert_same(whole, again)
        assert expected.equals(predict_fold(volumes, table, again.checkpoint, config))
    sys.stdout.write(f"{hits} kills, {hits} identical ends\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
