"""Families of results, and work in several processes."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.notes import read_note
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Recipe
from octa_kedro.results.store import Store
from tests.exchanging import exchange
from tests.results.storing import (
    EDITED,
    ONE,
    QUARANTINE,
    TWO,
    UPGRADED,
    fail,
    family,
    log,
    put,
    recipe,
    recipes,
    store,
    warnings_in,
)

__all__ = ["log", "store"]


def test_all_parts_are_made_once_whichever_is_saved_first(store: Store, log: Path):
    first = put(store, recipes(log, "a", "b"))
    second = put(store, recipes(log, "a", "b"), "surfaces")
    assert log.read_text().count("\n") == 2
    assert first["a"]().array[0, 0, 0] == pytest.approx(0.5, abs=1e-5)
    assert second["b"]().names == ("ILM",)
    assert first["a"].meta["tilt"] == 3.0
    assert second["b"].meta["subject"] == "b"


def test_a_part_that_an_eye_lacks_is_left_out_and_not_sought_again(store: Store, log: Path):
    for _ in range(2):
        loaded = put(store, recipes(log, "a"), "lesion")
        assert loaded == {}
        assert loaded.failed == {}
    assert log.read_text().count("\n") == 1


def test_all_parts_of_an_eye_can_be_asked_for_at_once(store: Store, log: Path):
    assert list(put(store, recipes(log, "a", "b"), None)) == ["a-volume", "a-surfaces", "b-volume", "b-surfaces"]
    assert log.read_text().count("\n") == 2


def test_a_changed_setting_makes_again_only_what_depends_on_it(store: Store, log: Path):
    first = put(store, {"a": recipe("a", partial(family, log))}, "surfaces")
    other = {"a": recipe("a", partial(family, log), "other")}
    put(store, other)
    assert put(store, other, "surfaces") == first
    assert log.read_text().splitlines() == ["volume surfaces lesion", "volume lesion"]


@pytest.mark.parametrize("execution", [ONE, TWO])
def test_entries_are_in_the_order_asked_for_and_the_same_for_any_number_of_workers(
    store: Store, log: Path, execution: ExecutionConfig
):
    loaded = put(store, recipes(log, "c", "a", "b"), execution=execution)
    assert list(loaded) == ["c", "a", "b"]
    assert len({stored.sha256 for stored in loaded.values()}) == 1
    assert log.read_text().count("\n") == 3


def test_a_result_whose_file_is_gone_is_made_again(store: Store, log: Path):
    first = put(store, recipes(log, "a"))["a"].path
    first.unlink()
    assert put(store, recipes(log, "a"))["a"].path == first
    assert log.read_text().count("\n") == 2
    assert read_note(first.with_suffix(".json"), named=True)["file"] == first.name


@pytest.mark.parametrize("damage", [b"", b'{"file"', b"{}"])
def test_a_damaged_card_is_made_again_and_a_damaged_reason_is_tried_again(store: Store, log: Path, damage: bytes):
    first = put(store, recipes(log, "a"))["a"].path
    first.with_suffix(".json").write_bytes(damage)
    assert put(store, recipes(log, "a"))["a"].path == first
    assert log.read_text().count("\n") == 2
    bad = {"bad": recipe("bad", partial(fail, log))}
    put(store, bad, execution=QUARANTINE)
    for note in store.folder.glob("*.failed.json"):
        note.write_bytes(damage)
    assert put(store, bad, execution=QUARANTINE).failed == {"bad": "subject bad: the retina is not there"}
    assert log.read_text().count("\n") == 4


def test_other_code_makes_another_file_and_is_told_in_one_line(store: Store, log: Path, caplog):
    old = put(store, recipes(log, "a", "b"))
    assert warnings_in(caplog) == []
    edited = {name: recipe(name, partial(family, log), code=EDITED) for name in ("a", "b", "c")}
    new = put(store, edited)
    (line,) = warnings_in(caplog)
    assert "volumes: 2 of 3 results are made anew" in line
    assert "stored: io.nifti." in line
    assert line.endswith("--load-versions volumes:VERSION")
    assert old["a"].path.is_file()
    assert new["a"].path != old["a"].path
    caplog.clear()
    put(store, edited, "surfaces")
    put(store, recipes(log, "a", "b"))
    assert warnings_in(caplog) == []  # both are there


def test_other_ingredients_are_no_change_of_code(store: Store, log: Path, caplog):
    put(store, recipes(log, "a"))
    put(store, {"a": recipe("a", partial(family, log), "other", EDITED)})
    assert warnings_in(caplog) == []


def test_results_of_other_libraries_are_used_and_told_of(store: Store, log: Path, caplog):
    old = put(store, recipes(log, "a", "b"))
    upgraded = {name: recipe(name, partial(family, log), code=UPGRADED) for name in ("a", "b")}
    assert put(store, upgraded) == old
    (line,) = warnings_in(caplog)
    assert "volumes: 2 results were made with other versions of libraries (numpy 2.0 -> 3.0)" in line


def test_a_recipe_knows_the_code_of_its_maker_and_of_what_writes_it(log: Path):
    modules = Recipe(partial(family, log), {"volume": "key"}).code.modules
    assert {"tests.results.storing", "octa_kedro.results.stored", "octa_kedro.io.nifti"} <= modules.keys()


@pytest.mark.parametrize("ending", [".json", ".failed.json"])
def test_records_of_two_eyes_that_were_exchanged_are_made_again(store: Store, log: Path, ending: str):
    makers = {"a": 0.25, "b": 0.75} if ending == ".json" else {"a": None, "b": None}
    wanted = {
        name: recipe(name, partial(family, log, value=value) if value else partial(fail, log))
        for name, value in makers.items()
    }
    before = put(store, wanted, execution=QUARANTINE)
    exchange(*store.folder.glob(f"*-volume{ending}"))
    after = put(store, wanted, execution=QUARANTINE)
    assert (dict(after), after.failed) == (dict(before), before.failed)
    assert len([*store.folder.glob("*.damaged")]) == 2


def test_a_result_of_files_that_were_changed_while_they_were_read_is_not_kept(store: Store, log: Path):
    steady = iter((False, True, True))
    eye = {"a": replace(recipe("a", partial(family, log)), unchanged=lambda: next(steady))}
    with pytest.raises(DataError, match="subject a: its files were changed while they were read"):
        put(store, eye)
    assert [*put(store, eye, execution=QUARANTINE)] == ["a"]
