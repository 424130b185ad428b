"""Faults of folders, tables and workbooks that a researcher hands in."""

import os
import shutil
from pathlib import Path

import pytest

from tests.faults.harness import EARLIER, PROCESS, Fault, nothing, table
from tests.faults.judge import Bench
from tests.faults.making import (
    all_of,
    cell,
    cells,
    content,
    copied,
    cut,
    edited,
    one_more,
    removed,
    rows,
    workbook,
)  # fmt: skip

GROUP = "input"
TABLE = "eyes/subjects.csv"


def given(params: str, command: str = PROCESS) -> str:
    """A command with parameters."""
    return f"{command} --params {params}"


def nested(project: Path) -> None:
    (project / "eyes").rename(project / "inner")
    (project / "eyes").mkdir()
    (project / "inner").rename(project / "eyes/eyes")


def loop(project: Path) -> None:
    (project / "eyes/all").symlink_to("..")


def dangling(project: Path) -> None:
    (project / "eyes/e3.nii.gz").unlink()
    (project / "eyes/e3.nii.gz").symlink_to("/nowhere/e3.nii.gz")


def pipe(project: Path) -> None:
    (project / "eyes/e3.nii.gz").unlink()
    os.mkfifo(project / "eyes/e3.nii.gz")


def merged(book):
    book.active.merge_cells("C2:C3")


def two_sheets(book):
    book.copy_worksheet(book.active)


def typed(place: str, value: object):
    def change(book):
        book.active[place] = value

    return change


def date(book):
    import datetime

    book.active["A4"] = datetime.datetime(2024, 3, 1)


def other_folder(project: Path) -> None:
    shutil.copytree(project / "eyes", project / "others")


# fmt: off
FOLDERS = [
    Fault("the folder of scans does not exist", nothing,
          "nowhere: no such folder or file; give one with --params source.path", command=given("source.path=nowhere"),
          quick=True),
    Fault("the folder of scans is empty", all_of(removed("eyes"), lambda p: (p / "eyes").mkdir()),
          "subjects.csv: no such file ... give a folder with a CSV"),
    Fault("the folder of another project is given to a project with results", other_folder,
          "holds the results of ... eyes, not of ... others; give this cohort a folder of its own",
          command=given("source.path=others"), quick=True),
    Fault("the archive was unpacked into a folder within the folder", nested,
          "subjects.csv: no such file ... give a folder with a CSV"),
    Fault("the table of labels is not in the folder", removed(TABLE),
          "eyes: has no table with the column label ... cohort.labelled=false", quick=True),
    Fault("Thumbs.db, .DS_Store and ._ files lie beside the images",
          all_of(content("eyes/Thumbs.db", b"x"), content("eyes/.DS_Store", b"x"), content("eyes/._e0.nii.gz", b"x")),
          ends="harmless"),
    Fault("a copy that a browser made, e0 (1).nii.gz, lies beside the images of the table",
          copied("eyes/e0.nii.gz", "eyes/e0 (1).nii.gz"), ends="told"),
    Fault("a download was interrupted: e3.nii.gz.part instead of e3.nii.gz",
          all_of(copied("eyes/e3.nii.gz", "eyes/e3.nii.gz.part"), removed("eyes/e3.nii.gz")),
          "subject e3: ... e3.nii.gz does not exist; correct the path in"),
    Fault("a link in the folder leads back to its parent", loop, ends="harmless"),
    Fault("an image is a link to a file that is gone", dangling,
          "subject e3: ... e3.nii.gz does not exist; correct the path in"),
    Fault("an image is a named pipe", pipe, "subject e3: ... e3.nii.gz"),
]
TABLES = [
    Fault("an image of the table is missing", removed("eyes/e3.nii.gz"),
          "subject e3: ... e3.nii.gz does not exist; correct the path in ... subjects.csv"),
    Fault("the table is an empty file", content(TABLE, ""), "subjects.csv: cannot be read as a table (it is empty)"),
    Fault("the table has a header and no rows", rows(lambda t: t.iloc[:0]),
          "subjects.csv: the table is empty; it needs a row for every eye"),
    Fault("a column is renamed", rows(lambda t: t.rename(columns={"label": "diagnosis"})),
          "subjects.csv: needs the column label; it has subject, path, diagnosis"),
    Fault("two columns have one name", edited(TABLE, lambda t: t.replace("patient", "label")),
          "subjects.csv: the column label occurs more than once (columns 3 and 5); keep one"),
    Fault("there is a title above the header", edited(TABLE, lambda t: "Glaucoma study 2024\n" + t),
          "subjects.csv: the names of the columns stand in row 2; remove the rows above"),
    Fault("a row has a cell too many", edited(TABLE, lambda t: t.replace("e3,", "e3,e3,", 1)),
          "subjects.csv: row 5 has 8 cells, but there are 7 columns; put quotes"),
    Fault("a subject occurs twice", one_more(subject="e3", path="m7.nii.gz"),
          "subjects.csv: subject e3 occurs more than once (rows 5 and 10); keep one row"),
    Fault("two subjects differ only in capitals", cell(3, "subject", "E2"),
          "subject 'e2' (row 4) and 'E2' (row 5) differ only in capitals ... spell them"),
    Fault("two rows name one file", cell(3, "path", "e2.nii.gz"),
          "subjects e2 and e3 have the same scan ... take one row out of the table"),
    Fault("an image was copied to another subject's name",
          all_of(removed("eyes/e3.nii.gz"), copied("eyes/e2.nii.gz", "eyes/e3.nii.gz")),
          "subjects e2 and e3 have the same scan ... have the same bytes ... take one row out"),
    Fault("a label is missing", cell(3, "label", ""), "subject e3: its label is empty; fill it in"),
    Fault("all eyes have one label", rows(lambda t: t.assign(label="ill")),
          "every labelled eye has the label ill; classes need two label words"),
    Fault("it is not clear which label is the negative one", cells("label", ["mild", "severe"] * 4),
          "which of the labels mild, severe is the negative class ... --params cohort.negative=", quick=True),
    Fault("two labels differ only in a space", cells("label", ["grade A", "gradeB", "gradeA", "gradeB"] * 2),
          "'GRADE A' (subject e0) and 'GRADEA' (subject e2) differ only in ... spell one class alike"),
    Fault("a word in the column split is misspelt", cell(3, "split", "trian"),
          "subject e3: split 'trian' in the label table; write train, validation or test"),
    Fault("an eye has no split", cell(3, "split", ""),
          "subject e3: split '' in the label table; write train, validation or test"),
    Fault("the test split is empty", cells("split", ["train"] * 4 + ["validation"] * 4),
          "no subject has the split of test; training, validation and test each need some"),
    Fault("training has one class only", cells("label", ["healthy"] * 4 + ["healthy", "ill"] * 2),
          "training has no subject of class ill ... move some there, or remove the column"),
    Fault("there are fewer patients than folds", rows(lambda t: t.drop(columns="split").iloc[:4]),
          "disease HEALTHY has 2 patients, but 3 folds and a hold-out need at least 4; add", begin="nifti_fresh",
          leaves=EARLIER),
    Fault("a laterality is a word that is not known", cell(3, "laterality", "both"),
          "subjects.csv: subject e3: laterality 'both'; write OD or OS"),
    Fault("a lesion mask is missing", removed("eyes/m3.nii.gz"),
          "subject e3: ... m3.nii.gz does not exist; correct the path in ... subjects.csv", leaves=EARLIER),
    Fault("the columns subject and label are exchanged",
          rows(lambda t: t.rename(columns={"subject": "label", "label": "subject"})),
          "subjects.csv: subject healthy occurs more than once ... keep one row"),
]
WORKBOOKS = [
    Fault("a workbook has a formula without a stored value", workbook(typed("C3", "=A3")),
          "subjects.xlsx: sheet Sheet, row 3, column label: the cell is a formula without a stored value; open"),
    Fault("a workbook has an error in a cell", workbook(typed("C3", "#N/A")),
          "subjects.xlsx: sheet Sheet, row 3, column label: the cell is the error #N/A; correct it", quick=True),
    Fault("a workbook has a date instead of a name", workbook(date),
          "subjects.xlsx: sheet Sheet, row 4, column subject: the cell is a date ... format the column as Text"),
    Fault("a workbook has merged cells", workbook(merged),
          "subjects.xlsx: sheet Sheet, row 3, column label: the cell is merged with others (C2:C3); unmerge"),
    Fault("two sheets of a workbook hold the table", workbook(two_sheets),
          "subjects.xlsx: 2 sheets have the column path (Sheet, Sheet Copy); keep one"),
    Fault("a workbook is cut short", all_of(workbook(lambda b: None), cut("eyes/subjects.xlsx")),
          "subjects.xlsx: cannot be read as a table ... save it as CSV"),
]
# fmt: on
FAULTS = [*FOLDERS, *TABLES, *WORKBOOKS]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_input(bench: Bench, fault: Fault):
    bench.judge(fault)
