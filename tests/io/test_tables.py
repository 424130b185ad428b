"""Tables as people write them."""

from pathlib import Path

import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.tables import read_table

ROWS = "ID,Disease\n10301,NORMAL\n"


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace(",", ";"),
        " id , DISEASE \n 10301 ,NORMAL \n,\n",
        "\ufeff" + ROWS,
        "ID;Disease;note\n10301;NORMAL;one, two\n",
        'ID, Disease, note\n10301, NORMAL, "one, two"\n',
    ],
)
def test_separators_spaces_and_case_do_not_matter(tmp_path: Path, text: str):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    table = read_table(tmp_path / "t.csv", ("ID", "Disease"))
    assert table[["ID", "Disease"]].to_numpy().tolist() == [["10301", "NORMAL"]]


def test_excel_numbers_become_plain_text(tmp_path: Path):
    pd.DataFrame({"ID": [10301, None], "Disease": ["NORMAL ", None]}).to_excel(tmp_path / "t.xlsx", index=False)
    table = read_table(tmp_path / "t.xlsx", ("ID", "Disease"))
    assert table.to_numpy().tolist() == [["10301", "NORMAL"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as a table"),
        ("ID,Disease\n", "the table is empty"),
        ("ID\n1\n", "needs the column Disease; it has ID"),
        ("ID,id ,Disease\n1,2,DR\n", "the column ID occurs more than once"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str | bytes, words: str):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=rf"t\.csv: {words}"):
        read_table(path, ("ID", "Disease"))


def test_a_file_that_is_no_workbook_is_named(tmp_path: Path):
    (tmp_path / "t.xlsx").write_bytes(b"no workbook")
    with pytest.raises(DataError, match=r"t\.xlsx: cannot be read as a table"):
        read_table(tmp_path / "t.xlsx", ("ID",))


def test_an_empty_sheet_is_named(tmp_path: Path):
    pd.DataFrame().to_excel(tmp_path / "t.xlsx", index=False)
    with pytest.raises(DataError, match=r"t\.xlsx: needs the column ID; it has none"):
        read_table(tmp_path / "t.xlsx", ("ID",))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_encoding_and_separator_is_read(tmp_path: Path, encoding: str, separator: str):
    text = f"ID{separator}Disease\r\nM\u00fcller{separator}gr\u00fcner Star\r\n"
    (tmp_path / "t.tsv").write_bytes(text.encode(encoding))
    assert read_table(tmp_path / "t.tsv", ("ID", "Disease")).to_numpy().tolist() == [
        ["M\u00fcller", "gr\u00fcner Star"]
    ]


@pytest.mark.parametrize(
    "word", ["NA", "None", "null", "N/A", "nan", "007", "1e5", "true", "NO", "1_000", "2024-01-05"]
)
def test_every_word_is_read_as_it_is_written(tmp_path: Path, word: str):
    (tmp_path / "t.csv").write_text(f"ID,Disease\n{word},{word}\n")
    assert read_table(tmp_path / "t.csv", ("ID", "Disease")).to_numpy().tolist() == [[word, word]]


def test_line_breaks_within_quotes_belong_to_their_cell_and_rows_keep_their_numbers(tmp_path: Path):
    (tmp_path / "t.csv").write_text('ID,Disease,note\n1,DR,"one\ntwo; ""three"""\n\n2,AMD,\n')
    table = read_table(tmp_path / "t.csv", ("ID", "Disease"))
    assert table.index.tolist() == [2, 4]
    assert table["note"].tolist() == ['one\ntwo; "three"', ""]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ID,Disease,Disease\n1,a,b\n", "the column Disease occurs more than once .columns 2 and 3.; keep one"),
        ("ID,Disease,note,Note \n1,a,b,c\n", "the column note occurs more than once .columns 3 and 4."),
        ("ID,Disease\n1,a\n2,a,x\n", "row 3 has 3 cells, but there are 2 columns; put quotes"),
        ("ID,Disease\n1,a\n2\n", "row 3 has 1 cell, but there are 2 columns"),
        ("ID,Disease,age\n1,a,63,5\n", "row 2 has 4 cells, but there are 3 columns"),
        ("Study of 2024\n\nID;Disease\n1;a\n", "the names of the columns stand in row 3; remove the rows above"),
        ("ID,Disease\n1,a\nID,Disease\n2,b\n", "row 3 repeats the names of the columns"),
        ('ID,Disease\n1,"a\n2,b\n', "cannot be read as a table .line 3: .*a quote may be missing"),
        ("ID,Disease\n1,#N/A\n", "row 2, column Disease: the cell is the error #N/A; correct it"),
        ("ID,Disease\n1.2E+11,a\n", r"row 2, column ID: the cell is 1\.2E\+11, as Excel writes a long number"),
        ("PK\x03\x04", "cannot be read as text, it is a workbook"),
        ("ID,Disease\n1,a\x00b\n", "cannot be read as text"),
    ],
)
def test_what_is_wrong_in_which_row_is_said(tmp_path: Path, text: str, words: str):
    (tmp_path / "participants.tsv").write_text(text)
    with pytest.raises(DataError, match=rf"participants\.tsv: {words}"):
        read_table(tmp_path / "participants.tsv", ("ID", "Disease"))


def test_empty_cells_behind_the_last_column_are_none(tmp_path: Path):
    (tmp_path / "t.csv").write_text("sep=;\nID;Disease;;\n1;a;;\n2;b;;;\n")
    assert read_table(tmp_path / "t.csv", ("ID", "Disease")).to_numpy().tolist() == [["1", "a"], ["2", "b"]]


def test_a_column_that_is_almost_one_is_told(tmp_path: Path, caplog):
    (tmp_path / "t.csv").write_text("ID,Disease,patients\n1,a,p\n")
    read_table(tmp_path / "t.csv", ("ID", "Disease"), optional=("patient",))
    assert "the column patients is not read; if it is meant, name it patient" in caplog.text


def test_old_workbooks_are_to_be_saved_anew(tmp_path: Path):
    (tmp_path / "t.xls").touch()
    with pytest.raises(DataError, match=r"t\.xls: cannot be read as a table; save it as \.xlsx or \.csv"):
        read_table(tmp_path / "t.xls", ("ID",))
