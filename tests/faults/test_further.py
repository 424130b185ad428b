"""Further faults of what is handed in: lock files, other compressions, failed downloads, parts left empty."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from tests.faults.harness import EARLIER, PROCESS, PROCESSED, Fault, table
from tests.faults.judge import Bench
from tests.faults.making import Change, all_of, cell, content, cut, rows, workbook
from tests.faults.projects import FIELD_MM, eye
from tests.faults.test_formats import LAYERS
from tests.faults.test_images import with_nan
from tests.faults.test_input import given
from tests.faults.test_process import start
from tests.faults.test_release import READ

GROUP = "input"
LOCK = b"\x05User" + b" " * 160
PAGE = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
LEARN = "run --env nifti_folder --nodes training_3d.fold_1.train"
QUARANTINE = given("execution.on_error=quarantine")


def bytes_of(change: Callable[[bytes], bytes], name: str = "e3.nii.gz") -> Change:
    """The file of an eye with other bytes, under this name."""

    def make(project: Path) -> None:
        data = (project / "eyes/e3.nii.gz").read_bytes()
        (project / "eyes/e3.nii.gz").unlink()
        (project / "eyes" / name).write_bytes(change(data))

    return make


def members(data: bytes) -> bytes:
    """The same content in several gzip members, which is a file of gzip as any other."""
    whole = gzip.decompress(data)
    return b"".join(gzip.compress(whole[start : start + 1000]) for start in range(0, len(whole), 1000))


def structures(project: Path) -> None:
    """An OCT scan of each eye beside its OCTA scan, one with NaN."""
    for number in range(8):
        array = eye(number + 20)
        array = with_nan(array) if number == 3 else array
        write_nifti(project / f"eyes/o{number}.nii.gz", array, scan_affine(array.shape, FIELD_MM))
    rows(lambda t: t.assign(oct_path=[f"o{number}.nii.gz" for number in range(8)]))(project)


def copied_surfaces(project: Path) -> None:
    """The surfaces of the first eye under the name of another one of its field."""
    files = sorted((project / LAYERS).glob("*.mat"))
    shutil.copy(files[0], files[1])


def folder(project: Path) -> None:
    (project / "w").mkdir()


def network(file: str) -> str:
    return f"{LEARN} --params {start('medicalnet', file)},training_3d.model.name=resnet18,training_3d.model.widths=null"


# fmt: off
FAULTS = [
    Fault("the lock file of an open table is given for the table", all_of(
              workbook(lambda b: None), content("eyes/~$subjects.xlsx", LOCK)),
          "~$subjects.xlsx: is the lock file that a spreadsheet program keeps ... name the table itself",
          command=given("'source.path=eyes/~$subjects.xlsx'")),
    Fault("the lock file of an open table lies beside it", content("eyes/.~lock.subjects.csv#", ",user,host"),
          ends="harmless"),
    Fault("an image is compressed by Zstandard", all_of(
              bytes_of(lambda d: b"\x28\xb5\x2f\xfd" + d, "e3.nii.zst"), cell(3, "path", "e3.nii.zst")),
          "e3.nii.zst: is compressed in a way that is not read (.zst); unpack it to .nii, or use gzip"),
    Fault("an image is compressed by Zstandard, under the ending of gzip", bytes_of(lambda d: b"\x28\xb5\x2f\xfd" + d),
          "e3.nii.gz: is not compressed, as its name says; if it is a NIfTI file, let its name end ... replace it"),
    Fault("an image is compressed in several members", bytes_of(members),
          "completed successfully", ends="told"),
    Fault("there is something behind a compressed image", bytes_of(lambda d: d + b"something"),
          "e3.nii.gz: not a readable NIfTI file (Not a gzipped file ... replace it", leaves=EARLIER),
    Fault("a compressed image is there twice in its file", bytes_of(lambda d: d + d),
          "e3.nii.gz: its header states ... but it goes on after them; replace it", leaves=EARLIER),
    Fault("an OCT image holds NaN, where OCT is processed too", structures,
          "subject e3: ... o3.nii.gz: holds NaN or infinite values; replace", given("processing.with_oct=true"),
          leaves=PROCESSED, again=PROCESS),
    Fault("with quarantine, training loses a class", all_of(cut("eyes/e1.nii.gz"), cut("eyes/e3.nii.gz")),
          "training has no subject of class ill: 2 eyes are left out, such as e1 (the log says why): correct",
          QUARANTINE, leaves=PROCESSED, again=PROCESS),
    Fault("with quarantine, nobody is left for validation", all_of(cut("eyes/e4.nii.gz"), cut("eyes/e5.nii.gz")),
          "validation has no subject of class healthy, ill: 2 eyes are left out, such as e4",
          QUARANTINE, leaves=PROCESSED, again=PROCESS),
    Fault("the surfaces of an eye are those of another one", copied_surfaces,
          "have the same surfaces: ... have the same bytes; each eye has its own: replace the file", READ,
          begin="release"),
    Fault("a weights file is the error page of a web server", content("w.pth", PAGE),
          "w.pth: a web page and no weights, as a failed download leaves it; download it again", network("w.pth"),
          again=LEARN),
    Fault("a weights file is empty", content("w.pth", b""),
          "w.pth: an empty file, as a failed download leaves it; download it again", network("w.pth"), again=LEARN),
    Fault("a weights file is a folder", folder, "w: is a folder; give weights_file the path of a downloaded file",
          network("w"), again=LEARN),
]
# fmt: on


@pytest.mark.parametrize("fault", table(FAULTS))
def test_further(bench: Bench, fault: Fault):
    bench.judge(fault)
