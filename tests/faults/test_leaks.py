"""Faults that would let a network be judged on what it has learnt from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.io.seals import Made, digest, read_seal, write_seal
from octa_kedro.io.volume import scan_affine
from tests.faults.harness import MISSION, PROCESS, PROCESSED, TRAIN, Fault, nothing, table
from tests.faults.judge import Bench
from tests.faults.making import Change, all_of, cell, content, copied, found, rows, table_edited
from tests.faults.projects import FIELD_MM, eye
from tests.faults.test_damage import CARD, EVALUATE, FOLD, SEEN, first_row, last_row

GROUP = "leaks"
RUN = "run --env nifti_folder"
LEARNING = "/(02_intermediate|03_primary|05_model_input|06_models)/|/08_reporting/flow"
INFER = f"{RUN} --pipelines inference --params source.path=clinic"
EXTERNAL = f"{RUN} --pipelines external_test --params external_test.path=second"
SECOND = "/external/second/"
CLINIC = "nifti_folder/inference/clinic/predictions.csv/*/predictions.csv"


def taken(index: int, change: Callable[[np.ndarray], np.ndarray], judged: int = 7) -> Change:
    """The image of training eye `index`, changed, as that of a test or validation eye."""

    def write(project: Path) -> None:
        array = np.ascontiguousarray(change(eye(index)))
        write_nifti(project / f"eyes/e{judged}.nii.gz", array, scan_affine(array.shape, FIELD_MM))

    return write


def learnt_from_e7(project: Path) -> None:
    """The card of a network that has learnt from a test eye, as the training would have written it."""
    file = found(project, CARD)
    card = read_note(file)
    card["seen"]["training"] = ["e0", "e1", "e7"]
    write_note(file, card)


def seen_e7(project: Path) -> None:
    """The table of what such a network has seen, with its seal."""
    file = found(project, SEEN)
    made, facts = read_seal(file)
    table_edited(SEEN, first_row("subject", "e7"))(project)
    write_seal(file, Made(digest(file.read_bytes()), made.made_from, made.passes_on), **facts)


def clinic(*names: tuple[int, str]) -> Change:
    """A folder of unlabelled eyes: those of the cohort with these numbers, under other names."""

    def write(project: Path) -> None:
        (project / "clinic").mkdir()
        for number, name in names:
            shutil.copy(project / f"eyes/e{number}.nii.gz", project / "clinic" / f"{name}.nii.gz")

    return write


def second(*names: tuple[int, str, str], labels: str = "label") -> Change:
    """A second labelled cohort: eyes with these numbers, called so and with these labels; from 8 on nobody has seen
    them."""

    def write(project: Path) -> None:
        folder = project / "second"
        folder.mkdir()
        for number, name, _ in names:
            write_nifti(folder / f"{name}.nii.gz", eye(number), scan_affine(eye(number).shape, FIELD_MM))
        lines = [f"{name},{name}.nii.gz,q{number},{label}" for number, name, label in names]
        content("second/subjects.csv", "\n".join([f"subject,path,patient,{labels}", *lines, ""]))(project)

    return write


def other_eye(project: Path) -> None:
    """An eye that nobody has seen."""
    (project / "clinic").mkdir()
    write_nifti(project / "clinic/x.nii.gz", eye(9), scan_affine(eye(9).shape, FIELD_MM))


def brighter(array: np.ndarray) -> np.ndarray:
    return (array * 1.2).clip(0, 255).astype(np.uint8)


def noisy(array: np.ndarray) -> np.ndarray:
    return (array + np.random.default_rng(9).normal(0, 2, array.shape)).clip(0, 255).astype(np.uint8)


# fmt: off
FAULTS = [
    Fault("a patient is in training and in test", cell(7, "patient", "p3"),
          "patient p3: e3 is in training and e7 in test ... put all eyes of a patient into one part", quick=True),
    Fault("the other eye of a training patient is in test",
          rows(lambda t: t.assign(patient=[*t["patient"][:-1], "p3"], laterality=["OD"] * 7 + ["OS"])),
          "patient p3: e3 is in training and e7 in test ... put all eyes of a patient into one part"),
    Fault("a patient is in training and in validation", cell(5, "patient", "p3"),
          "patient p3: e3 is in training and e5 in validation ... put all eyes of a patient into one"),
    Fault("two patients differ only in capitals", cell(7, "patient", "P3"),
          "patient 'p3' (row 5) and 'P3' (row 9) differ only in capitals ... spell them alike"),
    Fault("a test image is that of a training eye under another name", copied("eyes/e3.nii.gz", "eyes/e7.nii.gz"),
          "subjects e3 and e7 have the same scan ... take one row out of the table", quick=True),
    Fault("a test image is that of a training eye, brighter", taken(3, brighter),
          "subjects e3 and e7 have the same volume, when processed ... take one row out of the table",
          leaves=PROCESSED),
    Fault("a test image is that of a training eye, mirrored", taken(3, lambda a: a[::-1]),
          "subjects e3 and e7 have the same volume, when processed ... take one row out of the table",
          leaves=PROCESSED),
    Fault("a test image is that of a training eye with noise", taken(3, noisy),
          "eyes e3 and e7 (correlation ... nearly the same image; is it one scan under two names?", ends="told"),
    Fault("a held-out image is that of a training eye with noise, when it is predicted", taken(3, noisy),
          "the image of e7 is that of e3 ... or nearly so (correlation ... no metric counts it", command=MISSION,
          ends="told"),
    Fault("a held-out image is that of a training eye, moved by one voxel", taken(3, lambda a: np.roll(a, 1, axis=0)),
          "eyes e3 and e7 (correlation ... nearly the same image; is it one scan under two names?", ends="told"),
    Fault("all validation images of a class are those of training eyes with noise", taken(3, noisy, 5),
          "fold 1: all validation eyes of class ill are near copies of eyes that are learnt from (e5 of e3) ... take",
          command=TRAIN, leaves=LEARNING),
    Fault("a validation image is that of a training eye with noise, by which an epoch would be chosen", all_of(
              rows(lambda t: t.assign(split=["train"] * 4 + ["validation"] * 3 + ["test"] * 1)
                             .pipe(lambda t: t.assign(split=[*t["split"][:2], "test", *t["split"][3:]]))),
              taken(0, noisy, 4)),
          "fold 1: the image of e4 is that of e0, which was seen by its own training, or nearly so ... no metric",
          command=TRAIN, ends="told"),
    Fault("a test eye was moved to training by hand", table_edited(FOLD, last_row("role", "train")),
          "splits_fold_1.csv", command=f"{RUN} --nodes training_3d.fold_1.train"),
    Fault("the network has learnt from a test eye", learnt_from_e7,
          "fold 1: 1 subject (e7) or the other eye of their patient (p7) were seen ... use a checkpoint",
          command=f"{RUN} --nodes training_3d.fold_1.predict"),
    Fault("the table of what was seen has a test eye among the training eyes", seen_e7,
          "fold 1: 1 subject (e7) ... were seen by the network that is judged on them; use a checkpoint",
          command=EVALUATE),
    Fault("an eye of another clinic was learnt from, under the same name", clinic((3, "e3")), "True", command=INFER,
          ends="told", shown=CLINIC, again=PROCESS),
    Fault("an eye of another clinic was learnt from, under another name", clinic((3, "x")),
          "the image of eye x IS THAT OF e3", command=INFER, ends="told",
          shown=CLINIC, again=PROCESS),
    Fault("the other eye of a training patient is read as that of another clinic", all_of(
              other_eye, content("clinic/subjects.csv", "subject,path,patient\nx,x.nii.gz,p3\n")),
          "x, ... ,True", command=INFER, ends="told",
          shown=CLINIC, again=PROCESS),
    Fault("a second cohort has a training eye under its own name", second((3, "e3", "ill"), (8, "x", "healthy")),
          "1 of 2 eyes (e3), or their patients, are of the development cohort by their names ... leave these eyes out",
          command=EXTERNAL, leaves=SECOND, again=PROCESS),
    Fault("a second cohort has a training eye under another name", second((3, "x", "ill"), (8, "y", "healthy")),
          "1 images are those of development eyes, or nearly so (x is e3) ... leave these eyes out", command=EXTERNAL,
          leaves=SECOND, again=PROCESS),
    Fault("a second cohort has a patient of the first", all_of(
              second((8, "x", "ill"), (10, "y", "healthy")),
              content("second/subjects.csv", "subject,path,patient,label\nx,x.nii.gz,p3,ill\ny,y.nii.gz,q,healthy\n")),
          "1 of 2 eyes (x), or their patients, are of the development cohort by their names", command=EXTERNAL,
          leaves=SECOND, again=PROCESS),
    Fault("a second cohort lacks a class of the networks", second((8, "x", "healthy"), (10, "y", "healthy")),
          "whose classes are those of the networks (healthy, ill): cohort.classes: ILL is no label of the table",
          command=EXTERNAL, leaves=SECOND, again=PROCESS),
    Fault("a second cohort has a class that no network knows",
          second((8, "x", "glaucoma"), (9, "y", "ill"), (10, "z", "healthy")),
          "subject x: its label GLAUCOMA is no class of the networks, which know healthy, ill ... correct the label",
          command=EXTERNAL, leaves=SECOND, again=PROCESS),
    Fault("a second cohort has no labels", second((8, "x", ""), (10, "y", ""), labels="remark"),
          "second/subjects.csv: needs the column label; it has subject, path, patient, remark", command=EXTERNAL,
          leaves=SECOND, again=PROCESS),
    Fault("the threshold is to be chosen on the test eyes", nothing,
          "parameter evaluation.threshold: Input should be a valid number",
          command=f"{RUN} --pipelines evaluation --params evaluation.threshold=best", quick=True, again=PROCESS),
    Fault("the range of grey levels is to be fitted over all eyes", nothing,
          "parameter processing.intensity.over: unknown parameter",
          command=f"{PROCESS} --params processing.intensity.over=cohort"),
    Fault("a search is to be judged by the test eyes", nothing,
          "parameter tuning.metric: the history has no column 'test_auroc'; choose one of train_loss, val_loss",
          command=f"{RUN} --pipelines tuning --params tuning.metric=test_auroc", leaves=r"/tuning/.*/study\.",
          again=PROCESS),
    Fault("training is to stop by the test eyes", nothing,
          "parameter training_3d.stop.metric: unknown metric, did you mean val_auroc?",
          command=f"{TRAIN} --params training_3d.stop.metric=test_auroc", quick=True),
]
# fmt: on


@pytest.mark.parametrize("fault", table(FAULTS))
def test_leaks(bench: Bench, fault: Fault):
    bench.judge(fault)
