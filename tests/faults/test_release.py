"""Faults of images and label sheets in the layout of OCTA-500."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.faults.harness import Fault, table
from tests.faults.judge import Bench
from tests.faults.making import Change, sheets

GROUP = "input"
SCANS = "data/test/01_raw/phantom"
READ = "run --env test --nodes read_cohort"


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


def fault(name: str, make: Change, *says: str, **what) -> Fault:
    return Fault(name, make, says, **{"command": READ, "begin": "release"} | what)


FAULTS = [
    fault("a B-scan is missing", bscan(Path.unlink)),
    fault("the last B-scan of one modality is missing", fewer_bscans),
    fault(
        "a B-scan was copied by a file manager, 7 (1).bmp", bscan(lambda p: shutil.copy(p, p.with_name("7 (1).bmp")))
    ),
    fault("a B-scan occurs twice, 7.bmp and 07.bmp", bscan(lambda p: shutil.copy(p, p.with_name("07.bmp")))),
    fault("a B-scan has a date for a number", bscan(lambda p: p.rename(p.with_name("20240101.bmp")))),
    fault(
        "a B-scan has another size",
        saved(lambda i: i.resize((20, 20))),
        command="run --env test --pipelines data_processing",
    ),
    fault("a B-scan is in colours", saved(lambda i: Image.merge("RGB", (i, i.point(lambda v: v // 2), i)))),
    fault("a B-scan is black and white", saved(lambda i: i.convert("1"))),
    fault("a B-scan is a PNG that was renamed", saved(lambda i: i, "PNG")),
    fault("a B-scan is cut short", bscan(lambda p: p.write_bytes(p.read_bytes()[:-500]))),
    fault("a B-scan is an empty file", bscan(lambda p: p.write_bytes(b""))),
    fault("a B-scan claims 60000 x 60000 pixels", bscan(huge)),
    fault("a B-scan is a named pipe", bscan(lambda p: (p.unlink(), os.mkfifo(p)))),
    fault(
        "Thumbs.db and .DS_Store lie among the B-scans",
        bscan(lambda p: [p.with_name(n).write_bytes(b"x") for n in ("Thumbs.db", ".DS_Store")]),
        ends="harmless",
    ),
    fault("a download of a B-scan was interrupted, 7.bmp.part", bscan(lambda p: p.rename(p.with_name("7.bmp.part")))),
    fault("the release was unpacked into a folder within the folder", nested),
    fault("an eye has a label but no images", no_images),
    fault("an eye has OCT but no OCTA", no_octa),
    fault("an eye has images but no label", sheets(lambda t: t.iloc[1:])),
    fault("a 6 mm eye lies in the folder of the 3 mm eyes", other_field),
    fault("a column of the label sheet is renamed", sheets(lambda t: t.rename(columns={"Disease": "Diagnosis"}))),
    fault("an eye occurs twice in the label sheet", sheets(lambda t: pd.concat([t, t.iloc[-1:]]))),
    fault("a disease is not known", sheets(first("Disease", "GLAUCOMA"))),
    fault("a disease is missing", sheets(first("Disease", None))),
    fault("identifiers are stored as 10001.0", sheets(lambda t: t.assign(ID=t["ID"].astype(float))), ends="harmless"),
    fault("two columns are exchanged", sheets(exchanged("Sex", "OS/OD"))),
    fault("an identifier holds a date", sheets(first("ID", pd.Timestamp("2024-03-01")))),
    fault("the label sheet is empty", sheets(lambda t: t.iloc[:0])),
]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_release(bench: Bench, fault: Fault):
    bench.judge(fault)
