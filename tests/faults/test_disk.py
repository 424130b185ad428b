"""Faults of disks: no space, no permission, read errors, and what stands in the way."""

import errno
import shutil
from pathlib import Path

import pytest

from tests.faults.harness import DATA, MISSION, PROCESS, Fault, nothing, table
from tests.faults.judge import Bench
from tests.faults.making import all_of, mode

GROUP = "disk"
ORDINARY = (("without_privileges", {}),)
EVALUATE = "run --env nifti_folder --pipelines evaluation"
READ = "run --env nifti_folder --nodes read_cohort"


def full(name: str, where: str, command: str = MISSION, after: int = 0, **what) -> Fault:
    """There is no space for what is written to paths that match."""
    what = {"begin": "nifti_fresh", "leaves": "data/"} | what
    space = "free space"
    return Fault(name, nothing, space, command, inside=(("full_disk", {"where": where, "after": after}),), **what)


def forbidden(name: str, path: str, bits: int, says: str = "", **what) -> Fault:
    """An ordinary user may not read or write a path."""
    says = says or f"{Path(path).name} ... Permission denied; allow this user"
    return Fault(name, mode(path, bits), says, inside=ORDINARY, **what)


def failing(name: str, function: str, number: int, says: str = "", **what) -> Fault:
    """The operating system reports an error."""
    what = {"begin": "nifti_fresh", "leaves": "data/"} | what
    return Fault(name, nothing, says, inside=(("fails_at", {"function": function, "number": number}),), **what)


def file_for_folder(project: Path) -> None:
    shutil.rmtree(project / DATA)
    (project / DATA).write_text("x")


def dangling_folder(project: Path) -> None:
    shutil.rmtree(project / DATA)
    (project / DATA).symlink_to("/nowhere/results")


# fmt: off
FULL = [
    full("the disk is full when fingerprints are remembered", "/fingerprints/", PROCESS),
    full("the disk is full when the table of the cohort is saved", r"/cohort_table.csv/", READ),
    full("the disk is full in the middle of a volume", r"/processed/", PROCESS, after=100_000),
    full("the disk is full when a manifest is saved", r"processed_volumes/manifest.json/", PROCESS),
    full("the disk is full when the state of a training is stored", r"/running/"),
    full("the disk is full when a checkpoint is saved", r"checkpoint.safetensors/"),
    full("the disk is full when predictions are saved", r"fold_1/predictions.csv/"),
    full("the disk is full in the middle of a figure", r"/roc\.png/", after=2000),
    full("the disk is full when a report is saved", r"/metrics.md/"),
    Fault("no file may be larger than a volume, as with a quota", nothing, "File too large ... use another disk",
          command=PROCESS, begin="nifti_fresh", inside=[("largest_file", {"size": 20_000})], leaves="data/"),
]
FORBIDDEN = [
    forbidden("the folder of a dataset may not be written to", f"{DATA}/05_model_input/splits.csv", 0o555,
              leaves="data/"),
    forbidden("one image may not be read", "eyes/e3.nii.gz", 0o000, begin="nifti_fresh"),
    forbidden("the folder of scans may not be read", "eyes", 0o000),
    forbidden("the table of labels may not be read", "eyes/subjects.csv", 0o000),
    forbidden("a checkpoint may not be read", f"{DATA}/06_models/training_3d/fold_1", 0o000,
              command="run --env nifti_folder --pipelines inference"),
    Fault("the folder of scans may only be read, as on a read-only drive",
          all_of(mode("eyes", 0o555), mode("eyes/e3.nii.gz", 0o444)), ends="harmless", inside=ORDINARY),
    Fault("with quarantine, one image may not be read", mode("eyes/e3.nii.gz", 0o000), "e3 ... Permission denied",
          command=f"{PROCESS} --params execution.on_error=quarantine", ends="told", begin="nifti_fresh",
          inside=ORDINARY, shown="nifti_folder/05_model_input/eye_flow.csv/*/eye_flow.csv"),
]
FAILING = [
    failing("a disk reports a read error", "octa_kedro.preprocessing.eye:process_volume", errno.EIO, "try again"),
    failing("a network drive goes away", "octa_kedro.preprocessing.eye:process_volume", errno.ESTALE,
            "connect it again"),
    failing("too many files are open", "octa_kedro.preprocessing.eye:process_volume", errno.EMFILE, "ulimit -n"),
    Fault("a file stands where the folder of results has to be", file_for_folder,
          "data/nifti_folder: File exists; what stands there is no folder (a file, or a link that leads",
          command=READ),
    Fault("the folder of results is a link to a drive that is not there", dangling_folder,
          "data/nifti_folder: File exists; what stands there is no folder (a file, or a link that leads",
          command=READ),
]
# fmt: on
FAULTS = [*FULL, *FORBIDDEN, *FAILING]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_disk(bench: Bench, fault: Fault):
    bench.judge(fault)
