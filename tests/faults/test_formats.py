"""Faults of file formats: scanners' own files, MATLAB's surfaces, archives, and tables of pseudonyms."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.harness import EARLIER, PROCESS, Fault, table
from tests.faults.judge import Bench
from tests.faults.making import Change, content, cut, found, workbook
from tests.faults.projects import VENDOR
from tests.faults.test_release import LOOK, READ, SCANS
from tests.fuzz.encapsulated import save_encapsulated

GROUP = "input"
LAYERS = f"{SCANS}/Label/GT_Layers"
NAMES = f"{PROCESS} --params source.pseudonyms=names.csv"
FLOW = "vendor/unlabelled/03_primary/eye_flow_quality.csv/*/eye_flow_quality.csv"
EYES = [f"e{number}" for number in range(8)]


def surfaces(change: Callable[[bytes], bytes]) -> Change:
    """The surfaces of the first eye, changed."""

    def make(project: Path) -> None:
        file = found(project, f"{LAYERS}/*.mat")
        file.write_bytes(change(file.read_bytes()))

    return make


def surfaces_of_another(project: Path) -> None:
    """The surfaces of an eye of the other field under the name of the first one."""
    files = sorted((project / LAYERS).glob("*.mat"))
    shutil.copy(files[-1], files[0])


def wrong_byte(data: bytes) -> bytes:
    """A byte of a tag, for which SciPy's reader ends the process."""
    return data[:132] + bytes([data[132] ^ 0x40]) + data[133:]


def named(*rows: str, head: str = "name,subject") -> Change:
    """A table of pseudonyms."""
    return content("names.csv", "\n".join([head, *rows]) + "\n")


def without_length(project: Path) -> None:
    """A picture of JPEG 2000 in a DICOM file whose first box states no length."""
    file = project / "scans/c.dcm"
    save_encapsulated(file, "JPEG2000")
    data = file.read_bytes()
    at = data.index(b"jP  \r\n\x87\n") + 8
    file.write_bytes(data[:at] + bytes(4) + data[at + 4 :])


def zip_bomb(project: Path) -> None:
    """A workbook of a megabyte that unpacks to a gigabyte."""
    workbook(lambda book: None)(project)
    file = project / "eyes/subjects.xlsx"
    whole, bomb = zipfile.ZipFile(io.BytesIO(file.read_bytes())), io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
        with archive.open("xl/media.bin", "w", force_zip64=True) as part:
            for _ in range(64):
                part.write(bytes(1 << 24))
    file.write_bytes(bomb.getvalue())


def vendor(name: str, make: Change, says: str, **what) -> Fault:
    return Fault(name, make, says, **{"command": VENDOR, "begin": "vendor", "ends": "told", "shown": FLOW} | what)


# fmt: off
FILES = [
    vendor("a scanner's file is cut short", cut("scans/b.vol"), "b.vol: "),
    vendor("a scanner's file is empty", content("scans/b.vol", b""), "b.vol: "),
    vendor("a DICOM file has a picture with a box without length, over which pydicom hangs", without_length,
           "c.dcm: frame 1 is damaged (a box of 0 bytes); copy it again"),
    vendor("a scanner's file is an archive under its name", content("scans/b.vol", b"PK\3\4" + bytes(3000)), "b.vol: "),
    Fault("surfaces have a wrong byte, at which SciPy ends the process", surfaces(wrong_byte), "10001.mat: ",
          LOOK, begin="release", again=READ, leaves=EARLIER),
    Fault("surfaces are cut short", surfaces(lambda data: data[:-2000]), "10001.mat: ",
          LOOK, begin="release", again=READ, leaves=EARLIER),
    Fault("surfaces are those of an eye of another field", surfaces_of_another, "10001.mat: ",
          LOOK, begin="release", again=READ, leaves=EARLIER),
    Fault("a workbook unpacks to a gigabyte", zip_bomb, "subjects.xlsx: unpacks to 10 ... save it as CSV"),
]
PSEUDONYMS = [
    Fault("the table of pseudonyms is not there", lambda p: None, "source.pseudonyms=names.csv: no such file; give a",
          NAMES, again=PROCESS),
    Fault("the table of pseudonyms has no row for an eye", named(*(f"{e},s{e}" for e in EYES[:-1])),
          "names.csv: 1 of 8 eyes of the source have no row: number 8 of them in the order of their names",
          NAMES, again=PROCESS),
    Fault("two eyes get one pseudonym", named(*(f"{e},s{e}" for e in EYES[:-1]), "e7,se6"),
          "names.csv: rows 8 and 9 have one subject; keep one of them", NAMES, again=PROCESS, quick=True),
    Fault("a pseudonym leads out of the folder of results", named(*(f"{e},s{e}" for e in EYES[:-1]), "e7,../x"),
          "names.csv: row 9: its subject cannot name a file", NAMES, again=PROCESS),
    Fault("the table of pseudonyms has no column subject", named(*(f"{e},s{e}" for e in EYES), head="name,code"),
          "names.csv: needs the column subject; it has name, code", NAMES, again=PROCESS),
]
# fmt: on
FAULTS = [*FILES, *PSEUDONYMS]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_formats(bench: Bench, fault: Fault):
    bench.judge(fault)
