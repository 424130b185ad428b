"""The list of faults in the docs is that of the tables in the tests."""

import pytest
from tools.list_faults import BEGIN, END, faults, format_list, main, with_list

from tests.faults.harness import Fault, nothing

ROWS = {"disk": [Fault("no space | none_", nothing), Fault("b", nothing, ends="told", known="it is silent")]}


def test_a_group_has_a_row_per_fault_with_what_happens():
    text = format_list(ROWS)
    assert r"| no space \| none\_ | refused |" in text
    assert "| b | **not yet right**: it is silent |" in text


def test_only_what_stands_between_the_marks_is_written():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = with_list(page, ROWS)
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert with_list(once, ROWS) == once


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="has no line"):
        with_list("nothing", ROWS)


def test_every_group_has_faults_and_no_two_have_one_name():
    found = faults()
    names = [row.name for rows in found.values() for row in rows]
    assert all(found.values())
    assert len(names) == len(set(names)) >= 100


def test_the_list_in_the_page_is_up_to_date():
    assert main(["--check"]) == 0
