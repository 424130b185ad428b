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
        (b"\xff\xfe\x00", "cannot be read as a table"),
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
