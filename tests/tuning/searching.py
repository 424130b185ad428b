"""Searches whose trainings are made up: what is varied, and what each training would end in."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.cohort.splits import fold_table
from octa_kedro.errors import DivergedError
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.stored import Stored
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.fitted import Fitted
from octa_kedro.tuning.config import TuningConfig
from octa_kedro.tuning.search import search_parameters
from octa_kedro.tuning.study import StudyFile
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


ODD = DivergedError("fold 2, epoch 1: the loss is not finite; lower optimiser.learning_rate")
