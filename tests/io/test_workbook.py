"""Cells that Excel has changed."""

import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.tables import read_table

HEADER = ["subject", "path", "note"]


def book(folder: Path, *rows: list[Any], change=lambda sheet: None, **others: list[list[Any]]) -> Path:
    """A workbook with the `rows` and further sheets."""
    workbook = openpyxl.Workbook()
    for row in (HEADER, *rows):
        workbook.active.append(row)
    for name, cells in others.items():
        sheet = workbook.create_sheet(name)
        for row in cells:
            sheet.append(row)
    change(workbook.active)
    workbook.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def subject(path: Path) -> str:
    return read_table(path, ("path",), optional=("subject",))["subject"].iloc[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(10001, "10001"), (10001.0, "10001"), ("007", "007"), (1.5, "1.5"), ("NA", "NA"), ("a\nb", "a\nb")],
)
def test_numbers_and_words_are_read_as_they_are_shown(tmp_path: Path, value: Any, text: str):
    assert subject(book(tmp_path, [value, "a.nii"])) == text


def test_a_number_that_is_shown_with_zeros_keeps_them(tmp_path: Path):
    def style(sheet: Any) -> None:
        sheet["A2"].number_format = "000"

    assert subject(book(tmp_path, [7, "a.nii"], change=style)) == "007"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (
            dt.datetime(2024, 1, 5),
            "is a date or time .2024-01-05 00:00:00., which Excel makes of text; format the column",
        ),
        (dt.time(12, 30), "is a date or time"),
        (True, "is a truth value .TRUE., which Excel makes of text"),
        ("#N/A", "is the error #N/A; correct it"),
        ("=A9&B9", "is a formula without a stored value; open the file in Excel and save it"),
        (1234567890123456, "is the number 1.23456789012346e.15, of which Excel has lost the spelling"),
    ],
)
def test_a_cell_that_is_not_sure_is_named(tmp_path: Path, value: Any, why: str):
    with pytest.raises(DataError, match=rf"t\.xlsx: sheet Sheet, row 3, column subject: the cell {why}"):
        subject(book(tmp_path, ["a", "a.nii"], [value, "b.nii"]))


def test_a_column_that_is_not_asked_for_may_hold_anything(tmp_path: Path):
    assert subject(book(tmp_path, ["a", "a.nii", dt.datetime(2024, 1, 5)])) == "a"


def test_a_number_in_scientific_style_is_refused(tmp_path: Path):
    def style(sheet: Any) -> None:
        sheet["A2"].number_format = "0.00E+00"

    with pytest.raises(DataError, match="row 2, column subject: the cell is the number 100000, of which"):
        subject(book(tmp_path, [100000, "a.nii"], change=style))


def test_a_cell_behind_the_last_column_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="row 2 has 4 cells, but there are 3 columns"):
        subject(book(tmp_path, ["a", "a.nii", "", "more"]))


def test_merged_cells_are_refused(tmp_path: Path):
    path = book(tmp_path, ["a", "a.nii"], ["", "b.nii"], change=lambda sheet: sheet.merge_cells("A2:A3"))
    with pytest.raises(DataError, match=r"row 3, column subject: the cell is merged with others \(A2:A3\)"):
        subject(path)


def test_the_sheet_with_the_columns_is_read(tmp_path: Path):
    assert subject(book(tmp_path, ["a", "a.nii"], notes=[["some", "words"]])) == "a"
    with pytest.raises(DataError, match=r"t\.xlsx: 2 sheets have the column path \(Sheet, old\); keep one"):
        subject(book(tmp_path, ["a", "a.nii"], old=[HEADER, ["b", "b.nii", ""]]))


def test_an_error_in_one_of_several_sheets_names_it(tmp_path: Path):
    with pytest.raises(DataError, match=r"t\.xlsx: sheet Sheet: row 2, column path: the cell is the error"):
        subject(book(tmp_path, ["a", "#REF!"], notes=[["some", "words"]]))


def test_a_hidden_sheet_does_not_count(tmp_path: Path):
    path = book(tmp_path, ["a", "a.nii"], old=[HEADER, ["b", "b.nii", ""]])
    workbook = openpyxl.load_workbook(path)
    workbook["old"].sheet_state = "hidden"
    workbook.save(path)
    assert subject(path) == "a"


def test_a_number_with_other_characters_in_its_format_is_refused(tmp_path: Path):
    def style(sheet: Any) -> None:
        sheet["A2"].number_format = '"P"000'

    with pytest.raises(
        DataError, match=r'the cell is the number 7, which Excel shows with other characters \("P"000\)'
    ):
        subject(book(tmp_path, [7, "a.nii"], change=style))


def test_what_is_hidden_is_told(tmp_path: Path, caplog):
    def hide(sheet: Any) -> None:
        sheet.row_dimensions[2].hidden = True
        sheet.parent.create_sheet("old").sheet_state = "hidden"

    assert subject(book(tmp_path, ["a", "a.nii"], change=hide)) == "a"
    assert "row 2 is hidden, as by a filter, but read (1 such rows)" in caplog.text
    assert "hidden sheets are not read: old" in caplog.text


def test_what_the_library_cannot_open_is_one_line(tmp_path: Path):
    path = book(tmp_path, ["a", "a.nii"], change=lambda sheet: sheet.parent.create_chartsheet("empty"))
    with pytest.raises(DataError, match=r"t\.xlsx: cannot be read as a table .*; .*save it as CSV"):
        subject(path)


@pytest.mark.parametrize(("name", "why"), [("=A9", "is a formula without a stored"), ("#REF!", "is the error #REF!")])
def test_a_column_whose_name_is_not_sure_is_not_just_missing(tmp_path: Path, name: str, why: str):
    def rename(sheet: Any) -> None:
        sheet["B1"] = name

    with pytest.raises(DataError, match=rf"t\.xlsx: sheet Sheet, row 1, column 2: the cell, which names.*, {why}"):
        subject(book(tmp_path, ["a", "a.nii"], change=rename))


@pytest.mark.parametrize("name", ["~$t.xlsx", "~$t.csv", ".~lock.t.csv#"])
def test_the_lock_file_of_an_open_table_is_no_table(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"\x05User" + b" " * 160)
    with pytest.raises(DataError, match=r"is the lock file that a spreadsheet program keeps.*name the table itself"):
        read_table(tmp_path / name, ("path",))
