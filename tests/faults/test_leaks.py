"""Faults that would let a network be judged on what it has learnt from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from tests.faults.harness import PROCESS, TRAIN, Fault, nothing, table
from tests.faults.judge import Bench
from tests.faults.making import Change, all_of, cell, copied, rows, table_edited
from tests.faults.projects import FIELD_MM, eye
from tests.faults.test_damage import FOLD, SEEN, first_row, other_card

GROUP = "leaks"
RUN = "run --env nifti_folder"
INFER = f"{RUN} --pipelines inference --params source.path=clinic"


def taken(index: int, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """The image of training eye `index`, changed, as that of test eye 7."""

    def write(project: Path) -> None:
        array = np.ascontiguousarray(change(eye(index)))
        write_nifti(project / "eyes/e7.nii.gz", array, scan_affine(array.shape, FIELD_MM))

    return write


def clinic(*names: tuple[int, str]) -> Change:
    """A folder of unlabelled eyes: those of the cohort with these numbers, under other names."""

    def write(project: Path) -> None:
        (project / "clinic").mkdir()
        for number, name in names:
            shutil.copy(project / f"eyes/e{number}.nii.gz", project / "clinic" / f"{name}.nii.gz")

    return write


def brighter(array: np.ndarray) -> np.ndarray:
    return (array * 1.2).clip(0, 255).astype(np.uint8)


def noisy(array: np.ndarray) -> np.ndarray:
    return (array + np.random.default_rng(9).normal(0, 2, array.shape)).clip(0, 255).astype(np.uint8)


# fmt: off
FAULTS = [
    Fault("a patient is in training and in test", cell(7, "patient", "p3")),
    Fault("the other eye of a training patient is in test",
          all_of(rows(lambda t: t.assign(patient=[*t["patient"][:-1], "p3"], laterality=[*t["laterality"][:-1], "OS"])))),
    Fault("a patient is in training and in validation", cell(5, "patient", "p3")),
    Fault("two patients differ only in capitals", cell(7, "patient", "P3")),
    Fault("a test image is that of a training eye under another name", copied("eyes/e3.nii.gz", "eyes/e7.nii.gz")),
    Fault("a test image is that of a training eye, brighter", taken(3, brighter)),
    Fault("a test image is that of a training eye, mirrored", taken(3, lambda a: a[::-1])),
    Fault("a test image is that of a training eye with noise", taken(3, noisy), ends="told"),
    Fault("a test eye was moved to training by hand", table_edited(FOLD, first_row("role", "held_out")),
          command=f"{RUN} --nodes training_3d.fold_1.train"),
    Fault("the network has learnt from a test eye", other_card(lambda c: c["seen"].update(training=["e0", "e1", "e7"])),
          command=f"{RUN} --nodes training_3d.fold_1.predict"),
    Fault("the table of what was seen has a test eye among the training eyes",
          table_edited(SEEN, first_row("subject", "e7")),
          command=f"{RUN} --pipelines evaluation --to-nodes tabulate_metrics"),
    Fault("an eye of another clinic was learnt from, under the same name", clinic((3, "e3")), command=INFER,
          ends="told", shown="nifti_folder/inference/clinic/predictions.csv/*/predictions.csv"),
    Fault("an eye of another clinic was learnt from, under another name", clinic((3, "x")), command=INFER, ends="told",
          shown="nifti_folder/inference/clinic/predictions.csv/*/predictions.csv"),
    Fault("the threshold is to be chosen on the test eyes", nothing,
          command=f"{RUN} --pipelines evaluation --params evaluation.threshold=best"),
    Fault("the range of grey levels is to be fitted over all eyes", nothing,
          command=f"{PROCESS} --params processing.intensity.over=cohort"),
    Fault("a search is to be judged by the test eyes", nothing,
          command=f"{RUN} --pipelines tuning --params tuning.metric=test_auroc"),
    Fault("training is to stop by the test eyes", nothing,
          command=f"{TRAIN} --params training_3d.stop.metric=test_auroc"),
]
# fmt: on


@pytest.mark.parametrize("fault", table(FAULTS))
def test_leaks(bench: Bench, fault: Fault):
    bench.judge(fault)
