"""Tables as CSV: what is written comes back, and a spreadsheet runs none of it."""

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octa_kedro.io.csv_cells import RUN_BY_SPREADSHEETS, read_csv, text_columns, write_csv

LETTERS = st.characters(exclude_categories=["Cs"])  # half a character cannot be written
BEGINNINGS = [*RUN_BY_SPREADSHEETS, "'", "''", '"', ",", "NA", "1e5", "007", "true", "\x00", ""]
WORDS = st.builds(str.__add__, st.sampled_from(BEGINNINGS), st.text(LETTERS, max_size=6)).filter(bool)


def back(table: pd.DataFrame) -> pd.DataFrame:
    return read_csv(write_csv(table), text_columns(table))


@given(st.lists(st.tuples(WORDS, st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans()), min_size=1), WORDS)
def test_every_text_and_number_comes_back(rows: list[tuple[str, float, int, bool]], name: str):
    table = pd.DataFrame(rows, columns=[name + "x", "number", "count", "yes"]).astype({"number": float})
    pd.testing.assert_frame_equal(back(table), table, check_exact=True)


@given(st.lists(WORDS, min_size=1), WORDS)
def test_no_cell_of_words_is_a_formula_for_a_spreadsheet(words: list[str], name: str):
    content = write_csv(pd.DataFrame({name + "x": words, "number": -1.5}))
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert not [row[0] for row in rows if row[0].startswith(RUN_BY_SPREADSHEETS)]
    assert {row[1] for row in rows[1:]} == {"-1.5"}  # numbers are what they are


def test_a_column_of_words_stays_one_where_nothing_is_known():
    table = pd.DataFrame({"reason": [None, None], "mixed": ["=1", math.nan], "age": [math.nan, 3]})
    loaded = back(table)
    assert text_columns(table) == ["reason", "mixed"]
    assert loaded["reason"].fillna("").tolist() == ["", ""]
    assert loaded["mixed"].tolist()[0] == "=1"
    assert loaded["age"].dtype == float


def test_words_of_a_category_are_escaped_too():
    table = pd.DataFrame({"kind": pd.Categorical(["+a", "b"])})
    assert b"'+a" in write_csv(table)
    assert back(table)["kind"].tolist() == ["+a", "b"]


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"subject": pd.Series([], dtype=str), "n": []})])
def test_a_table_without_rows_comes_back(table: pd.DataFrame):
    assert list(back(table).columns) == list(table.columns)
    assert back(table).empty


def test_whole_numbers_with_gaps_are_what_they_were():
    table = pd.DataFrame({"n": [1.0, np.nan, np.inf]})
    pd.testing.assert_frame_equal(back(table), table)
