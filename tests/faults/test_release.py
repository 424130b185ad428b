"""Faults of images and label sheets in the layout of OCTA-500."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.faults.harness import EARLIER, Fault, table
from tests.faults.judge import Bench
from tests.faults.making import Change, sheets

GROUP = "input"
SCANS = "data/test/01_raw/phantom"
READ = "run --env test --nodes read_cohort"
LOOK = "run --env test --from-nodes read_cohort --to-nodes inspect_eyes"


def eye_folder(project: Path, modality: str = "OCTA", field: str = "6mm") -> Path:
    return min((project / SCANS / f"OCTA_{field}" / modality).iterdir())


def bscan(change: Callable[[Path], object], number: int = 7) -> Change:
    """A change of one B-scan of the first eye."""
    return lambda project: change(eye_folder(project) / f"{number}.bmp")


def saved(change: Callable[[Image.Image], Image.Image], form: str = "BMP") -> Change:
    """One B-scan, saved again after a change."""
    return bscan(lambda path: change(Image.open(path).copy()).save(path, form))


def huge(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[18:26] = (60000).to_bytes(4, "little") * 2
    path.write_bytes(data)


def nested(project: Path) -> None:
    scans = project / SCANS
    scans.rename(project / "inner")
    (scans / "OCTA-500").parent.mkdir()
    (project / "inner").rename(scans / "OCTA-500")


def no_images(project: Path) -> None:
    for modality in ("OCT", "OCTA"):
        shutil.rmtree(eye_folder(project, modality))


def no_octa(project: Path) -> None:
    shutil.rmtree(eye_folder(project))


def fewer_bscans(project: Path) -> None:
    folder = eye_folder(project, "OCT")
    (folder / f"{len(list(folder.iterdir()))}.bmp").unlink()


def other_field(project: Path) -> None:
    for modality in ("OCT", "OCTA"):
        folder = eye_folder(project, modality)
        folder.rename(project / SCANS / "OCTA_3mm" / modality / folder.name)


def exchanged(one: str, other: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.rename(columns={one: other, other: one})


def first(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table[column] = table[column].astype(object)
        table.loc[0, column] = value
        return table

    return change


def fault(name: str, make: Change, says: str = "", **what) -> Fault:
    return Fault(name, make, says, **{"command": READ, "begin": "release"} | what)


# fmt: off
FAULTS = [
    fault("a B-scan is missing", bscan(Path.unlink),
          "OCTA/10001: B-scans are numbered from 1 to 44 but 7 is missing; copy the eye again or leave it out"),
    fault("the last B-scan of one modality is missing", fewer_bscans,
          "subject 10001: OCTA and OCT are not of one scan (n_bscans 44 and 43); copy both again"),
    fault("a B-scan was copied by a file manager, 7 (1).bmp", bscan(lambda p: shutil.copy(p, p.with_name("7 (1).bmp"))),
          "7 (1).bmp: a B-scan is named by its number (1.bmp, 2.bmp, ...); rename or remove it"),
    fault("a B-scan occurs twice, 7.bmp and 07.bmp", bscan(lambda p: shutil.copy(p, p.with_name("07.bmp"))),
          "10001: B-scan 7 occurs twice (7.bmp and 07.bmp); remove one"),
    fault("a B-scan has a date for a number", bscan(lambda p: p.rename(p.with_name("20240101.bmp"))),
          "10001: B-scans are numbered from 1 to 20240101 but 7, 45, 46, 47, 48, ... is missing; copy"),
    fault("a B-scan has another size", saved(lambda i: i.resize((20, 20))),
          "7.bmp: 20 x 20 pixels, but 1.bmp of the same eye has 44 x 128; all B-scans of an eye must", command=READ),
    fault("a B-scan is in colours", saved(lambda i: Image.merge("RGB", (i, i.point(lambda v: v // 2), i))), "7.bmp",
          command=LOOK, again=READ, leaves=EARLIER),
    fault("a B-scan is black and white", saved(lambda i: i.convert("1")),
          "7.bmp: a picture black and white (1 bit); B-scans and projection maps have 8 bits", command=LOOK, again=READ,
          leaves=EARLIER),
    fault("a B-scan is a PNG that was renamed, with the same grey levels", saved(lambda i: i, "PNG"), ends="told",
          command=LOOK, again=READ),
    fault("a B-scan is cut short", bscan(lambda p: p.write_bytes(p.read_bytes()[:-500])),
          "7.bmp: truncated bitmap: 6210 bytes, but 44 x 128 pixels of 8 bits need 6710; copy it again"),
    fault("a B-scan is an empty file", bscan(lambda p: p.write_bytes(b"")),
          "7.bmp: not a readable bitmap; copy it again or leave the eye out"),
    fault("a B-scan claims 60000 x 60000 pixels", bscan(huge),
          "7.bmp: its header states 60000 x 60000 pixels, more than any scan has; copy it again"),
    fault("a B-scan is a named pipe", bscan(lambda p: (p.unlink(), os.mkfifo(p))),
          "7.bmp: is no regular file; remove it or copy the eye again"),
    fault("Thumbs.db and .DS_Store lie among the B-scans",
          bscan(lambda p: [p.with_name(n).write_bytes(b"x") for n in ("Thumbs.db", ".DS_Store")]), ends="harmless"),
    fault("a download of a B-scan was interrupted, 7.bmp.part", bscan(lambda p: p.rename(p.with_name("7.bmp.part"))),
          "B-scans are numbered from 1 to 44 but 7 is missing; copy the eye again"),
    fault("the release was unpacked into a folder within the folder", nested, ends="harmless"),
    fault("an eye has a label but no images", no_images,
          "eye 10001: no OCTA volume below ... looked for OCTA_*mm/OCTA/10001); add it or leave the eye out"),
    fault("an eye has OCT but no OCTA", no_octa,
          "eye 10001: no OCTA volume below ... looked for OCTA_*mm/OCTA/10001); add it or leave the eye out"),
    fault("an eye has images but no label", sheets(lambda t: t.iloc[1:]), "not on the label sheet", ends="told",
          shown="test/03_primary/eye_flow_files.csv/*/eye_flow_files.csv"),
    fault("a 6 mm eye lies in the folder of the 3 mm eyes", other_field,
          "subject 10001: 44 A-scans x 44 B-scans, as the eyes of 6 mm have ... in the wrong folder?", ends="told"),
    fault("a column of the label sheet is renamed", sheets(lambda t: t.rename(columns={"Disease": "Diagnosis"})),
          "Text labels.xlsx: needs the column Disease; it has ID, Sex, OS/OD, Age, Diagnosis"),
    fault("an eye occurs twice in the label sheet", sheets(lambda t: pd.concat([t, t.iloc[-1:]])),
          "Text labels.xlsx: ID 10306 occurs more than once (rows 7 and 8); keep one row"),
    fault("a disease is not known", sheets(first("Disease", "GLAUCOMA")),
          "subject 10301: unknown disease 'GLAUCOMA' ... correct the label sheet or add the word to"),
    fault("a disease is missing", sheets(first("Disease", None)), "subject 10301: its label is empty; fill it in"),
    fault("identifiers are stored as 10001.0", sheets(lambda t: t.assign(ID=t["ID"].astype(float))), ends="harmless"),
    fault("two columns are exchanged", sheets(exchanged("Sex", "OS/OD")),
          "Text labels.xlsx: subject 10301: laterality 'M'; write OD or OS"),
    fault("an identifier holds a date", sheets(first("ID", pd.Timestamp("2024-03-01"))),
          "Text labels.xlsx: sheet Sheet1, row 2, column ID: the cell is a date or time ... format the column as Text"),
    fault("the label sheet is empty", sheets(lambda t: t.iloc[:0]),
          "Text labels.xlsx: the table is empty; it needs a row for every eye"),
]
# fmt: on


@pytest.mark.parametrize("fault", table(FAULTS))
def test_release(bench: Bench, fault: Fault):
    bench.judge(fault)
