"""Faults that somebody may have made on purpose, in names, cells, pickles, archives and configuration."""

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import pytest

from tests.faults.harness import PROCESS, PROCESSED, Fault, table
from tests.faults.judge import Bench
from tests.faults.making import cell, content
from tests.faults.test_process import start

GROUP = "security"
LOCAL = "conf/local/parameters.yml"
INFER = "run --env nifti_folder --pipelines inference"
LEARN = "run --env nifti_folder --nodes training_3d.fold_1.train"
EXECUTED = "executed"


class Harmful:
    """A pickle that writes a file when it is loaded."""

    def __reduce__(self):
        return open, (EXECUTED, "w")


def torch_file(project: Path) -> None:
    """What torch.save writes, with harmful content."""
    with zipfile.ZipFile(project / "harm.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": Harmful()}, protocol=2))
        archive.writestr("archive/version", "3")


def bomb(project: Path) -> None:
    """A gzip file of a megabyte that holds a gigabyte."""
    block, packed = bytes(1 << 24), io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        file.write((project / "eyes/e3.nii.gz").read_bytes()[:0] + nifti_head(project))
        for _ in range(64):
            file.write(block)
    (project / "eyes/e3.nii.gz").write_bytes(packed.getvalue())


def nifti_head(project: Path) -> bytes:
    return gzip.decompress((project / "eyes/e3.nii.gz").read_bytes())[:352]


def vast(image) -> None:
    image.header["dim"][1:4] = (32767, 32767, 32767)


def vast_header(project: Path) -> None:
    """A header that declares 35 terabytes."""
    file = project / "eyes/e3.nii.gz"
    data = bytearray(gzip.decompress(file.read_bytes()))
    data[42:48] = (32767).to_bytes(2, "little") * 3
    file.write_bytes(gzip.compress(bytes(data)))


def outside(project: Path) -> None:
    """A subject that would be written outside of the results."""
    cell(3, "subject", "../../outside")(project)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Each line names the one before it ten times."""

# fmt: off
NAMES = [
    Fault("a subject leads out of the folder of results", outside,
          "subjects.csv: row 5: subject '../../outside' cannot name a file", quick=True),
    Fault("a subject is an absolute path", cell(3, "subject", "/etc/passwd"),
          "subjects.csv: row 5: subject '/etc/passwd' cannot name a file"),
    Fault("a subject holds a NUL", cell(3, "subject", "e\0"), "subjects.csv: "),
    Fault("a subject has 300 characters", cell(3, "subject", "e" * 300),
          "subjects.csv: row 5: subject 'eeee ... has 300 bytes, too many for names of files; at most"),
    Fault("a subject is ..", cell(3, "subject", ".."), "subjects.csv: row 5: subject '..' cannot name a file"),
    Fault("a subject is a device of Windows", cell(3, "subject", "CON"),
          "subjects.csv: row 5: subject 'CON' cannot name a file"),
    Fault("a subject is a formula", cell(3, "subject", "=cmd|' /C calc'!A0"),
          "subjects.csv: row 5: subject ... cannot name a file"),
]
CODE = [
    Fault("a weights file is a pickle that runs code", torch_file, "harm.pth: not a file of plain tensors",
          command=f"{LEARN} --params {start('medicalnet', 'harm.pth')}", quick=True),
    Fault("a checkpoint for an inference is a pickle that runs code", torch_file,
          "harm. ... a checkpoint is a .safetensors file with a .json beside it",
          command=f"{INFER} --params inference.checkpoint=harm.pth", again=PROCESS),
    Fault("a parameter file asks YAML to run code",
          content(LOCAL, f"source: !!python/object/apply:builtins.open [{EXECUTED}, w]\n"),
          "parameters.yml ... python/object/apply:builtins.open", quick=True),
    Fault("a parameter asks for a value of the shell's environment",
          content(LOCAL, "source: {path: '${oc.env:HOME}'}\n"), "Unsupported interpolation type oc.env"),
]
SIZES = [
    Fault("a compressed image unpacks to a gigabyte", bomb,
          "e3.nii.gz: its header states 2688 bytes of voxels, but it goes on after them; replace it",
          leaves=PROCESSED),
    Fault("parameters name a billion values by aliases", content(LOCAL, LAUGHS),
          "parameters.yml: its aliases (*name) stand for 1.23e+09 values; write out what is needed", quick=True),
    Fault("a file of --params parameters= names a billion values by aliases", content("my.yml", LAUGHS),
          "my.yml: cannot be read ... its aliases (*name) stand for 1.23e+09 values; write out what is needed",
          command=f"{PROCESS} --params parameters=my.yml", again=PROCESS),
    Fault("parameters are nested without end", content(LOCAL, "source: " + "[" * 100_000),
          "parameters.yml: is nested too deeply, or names itself by an alias; write it flat"),
    Fault("an image declares 35 terabytes", vast_header,
          "e3.nii.gz: along x it measures 8192 mm ... correct the spacing or the unit", quick=True),
]
# fmt: on
FAULTS = [*NAMES, *CODE, *SIZES]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_security(bench: Bench, fault: Fault):
    bench.judge(fault)
    assert not (bench.project / EXECUTED).exists()
