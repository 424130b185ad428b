"""Families of results, quarantine, and work in several processes."""

import errno
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import DataError, OctaError, StaleError
from octa_kedro.io.boundary import reading
from octa_kedro.io.notes import read_note
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.code import Code
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job, Recipe, Recipes
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Manifest
from tests.exchanging import exchange

ONE, TWO = ExecutionConfig(workers=1), ExecutionConfig(workers=2)
QUARANTINE = ExecutionConfig(workers=1, on_error="quarantine")


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was told; other tests of the same process may have made the log tell progress as well."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def volume(value: float) -> Volume:
    return Volume(np.full((2, 3, 4), value, np.float32), np.eye(4), "OCTA", None, "eye")


def planes() -> PlaneStack:
    return PlaneStack(np.ones((2, 3, 1), np.float32), np.eye(4), ("ILM",), None, "eye")


PARTS = ("volume", "surfaces", "lesion")
CODE = Code({"octa_kedro.preprocessing.eye": "1", "octa_kedro.io.nifti": "1"}, {"numpy": "2.0"})
EDITED = replace(CODE, modules={**CODE.modules, "octa_kedro.io.nifti": "2"})
UPGRADED = replace(CODE, libraries={"numpy": "3.0"})


def family(log: Path, wanted: list[str], value: float = 0.5) -> dict[str, Result]:
    """A volume and its surfaces, of an eye without a lesion; each making leaves a line."""
    with log.open("a") as file:
        file.write(" ".join(wanted) + "\n")
    made = {"volume": Result(volume(value), unit=True, facts={"tilt": 3.0}), "surfaces": Result(planes())}
    return {part: result for part, result in made.items() if part in wanted}


def fail(log: Path, wanted: list[str]) -> dict[str, Result]:
    family(log, wanted)
    raise DataError("the retina is not there")


def crash(_parts: list[str]) -> dict[str, Result]:
    raise ZeroDivisionError("a mistake of ours")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "files")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def recipes(log: Path, *names: str) -> dict[str, Recipe]:
    return {name: recipe(name, partial(family, log)) for name in names}


def recipe(name: str, make: Callable, settings: str = "", code: Code = CODE) -> Recipe:
    """The surfaces depend on no settings."""
    keys = {part: f"key_{name}" + ("" if part == "surfaces" else settings) for part in PARTS}
    return Recipe(make, keys, {"subject": name}, code)


def put(
    store: Store, recipes: dict[str, Recipe], part: str | None = "volume", execution: ExecutionConfig = ONE
) -> Manifest:
    return store.open_all(store.put_all(Job(recipes, part, execution), f"{part}s"))


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


def test_quarantine_keeps_the_reason_and_goes_on(store: Store, log: Path):
    mixed = {"bad": recipe("bad", partial(fail, log)), **recipes(log, "good")}
    loaded = put(store, mixed, execution=QUARANTINE)
    assert list(loaded) == ["good"]
    assert loaded.failed == {"bad": "subject bad: the retina is not there"}
    again = {"bad": recipe("bad", partial(fail, log))}
    assert put(store, again, "surfaces", QUARANTINE).failed.keys() == {"bad"}
    assert log.read_text().count("\n") == 2  # neither its other part nor a second run tried the bad eye again


def closed(log: Path, _wanted: list[str]) -> dict[str, Result]:
    """Until `log` is there, the eye's file cannot be read."""
    if not log.is_file():
        raise PermissionError(errno.EACCES, "Permission denied", "7.bmp")
    return family(log, ["volume", "surfaces"])


def wrapped(log: Path, wanted: list[str]) -> dict[str, Result]:
    """The same, as readers tell it."""
    try:
        return closed(log, wanted)
    except OSError as error:
        raise DataError("7.bmp: cannot be read") from error


@pytest.mark.parametrize("make", [closed, wrapped])
def test_what_failed_for_want_of_permission_is_tried_again(store: Store, log: Path, make: Callable):
    eye = {"a": recipe("a", partial(make, log))}
    assert "7.bmp" in put(store, eye, execution=QUARANTINE).failed["a"]
    log.touch()
    assert put(store, eye, execution=QUARANTINE).failed == {}


def full(_wanted: list[str]) -> dict[str, Result]:
    raise OSError(errno.ENOSPC, "No space left on device", "x.nii")


def test_a_full_disk_ends_the_run_with_its_remedy_and_is_no_eyes_fault(store: Store, log: Path):
    with pytest.raises(OctaError, match=r"x\.nii: No space left on device; free space on that disk; then run again"):
        put(store, recipes(log, "good") | {"a": recipe("a", full)}, execution=QUARANTINE)
    assert put(store, recipes(log, "good") | {"a": recipe("a", partial(family, log))}).keys() == {"good", "a"}
    assert log.read_text().count("\n") == 2


def out_of_memory(_wanted: list[str]) -> dict[str, Result]:
    raise MemoryError("Unable to allocate 9 TiB")


def test_an_eye_too_large_for_the_memory_is_left_out_with_the_remedy(store: Store, log: Path):
    eyes = {"a": recipe("a", out_of_memory)} | recipes(log, "good")
    loaded = put(store, eyes, execution=QUARANTINE)
    assert list(loaded) == ["good"]
    assert "not enough memory (Unable to allocate 9 TiB); free memory, or work on fewer" in loaded.failed["a"]


def test_without_quarantine_the_run_stops_but_keeps_what_is_finished(store: Store, log: Path):
    mixed = recipes(log, "good") | {"bad": recipe("bad", partial(fail, log))}
    with pytest.raises(DataError, match=r"subject bad: the retina is not there \(execution.on_error"):
        put(store, mixed)
    put(store, recipes(log, "good"))
    assert log.read_text().count("\n") == 2


def test_a_remembered_failure_does_not_hide_the_error_once_the_run_must_stop(store: Store, log: Path):
    bad = {"bad": recipe("bad", partial(fail, log))}
    put(store, bad, execution=QUARANTINE)
    with pytest.raises(DataError, match="subject bad"):
        put(store, bad)


def test_a_mistake_in_the_code_is_never_quarantined(store: Store):
    with pytest.raises(ZeroDivisionError):
        put(store, {"a": recipe("a", crash)}, execution=QUARANTINE)


@pytest.mark.parametrize("execution", [ONE, TWO])
def test_entries_are_in_the_order_asked_for_and_the_same_for_any_number_of_workers(
    store: Store, log: Path, execution: ExecutionConfig
):
    loaded = put(store, recipes(log, "c", "a", "b"), execution=execution)
    assert list(loaded) == ["c", "a", "b"]
    assert len({stored.sha256 for stored in loaded.values()}) == 1
    assert log.read_text().count("\n") == 3


def test_an_error_in_another_process_names_its_subject(store: Store, log: Path):
    mixed = {"bad": recipe("bad", partial(fail, log)), **recipes(log, "good", "fair")}
    with pytest.raises(OctaError, match="subject bad"):
        put(store, mixed, execution=TWO)


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
    assert {"tests.results.test_store", "octa_kedro.results.stored", "octa_kedro.io.nifti"} <= modules.keys()


def damaged(_wanted: list[str]) -> dict[str, Result]:
    """A header that states more than any scan has: NumPy says that memory is short."""
    with reading(Path("9.nii")):
        np.empty(1 << 45, np.float64)
    return {}


def test_a_damaged_size_is_remembered_as_the_bytes_fault_and_not_tried_again(store: Store):
    eye = {"a": recipe("a", damaged)}
    assert "9.nii: damaged (Unable to allocate" in put(store, eye, execution=QUARANTINE).failed["a"]
    (note,) = [read_note(path, named=True) for path in store.folder.glob("*-volume.failed.json")]
    assert not note["passes"]


def gone(log: Path, wanted: list[str]) -> dict[str, Result]:
    """Of a drive that has gone away readers say that a folder is not there, each in its own words."""
    if not log.is_file():
        raise DataError("10001: holds no B-scan (*.bmp)")
    return family(log, wanted)


def test_a_failure_of_an_eye_whose_files_are_not_there_is_not_remembered(store: Store, log: Path):
    eye = {"a": replace(recipe("a", partial(gone, log)), unchanged=log.is_file)}
    assert "holds no B-scan" in put(store, eye, execution=QUARANTINE).failed["a"]
    log.touch()
    assert put(store, eye, execution=QUARANTINE).failed == {}


@pytest.mark.parametrize(
    "cause",
    [
        TimeoutError("timed out"),
        OSError(errno.ENOTCONN, "Transport endpoint is not connected"),
        FileNotFoundError(errno.ENOENT, "No such file", "7.bmp"),
        ImportError("no decoder"),
        StaleError("x.nii: its bytes have changed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_another_try_may_cure_is_not_remembered(store: Store, log: Path, cause: Exception):
    def fails(_wanted: list[str]) -> dict[str, Result]:
        raise DataError("it cannot be read") from cause

    assert put(store, {"a": recipe("a", fails)}, execution=QUARANTINE).failed.keys() == {"a"}
    assert put(store, recipes(log, "a"), execution=QUARANTINE).failed == {}


def test_what_failed_with_other_versions_of_libraries_is_tried_again(store: Store, log: Path):
    put(store, {"a": recipe("a", partial(fail, log))}, execution=QUARANTINE)
    put(store, {"a": recipe("a", partial(fail, log), code=UPGRADED)}, execution=QUARANTINE)
    assert log.read_text().count("\n") == 2


def killed(log: Path, wanted: list[str]) -> dict[str, Result]:
    """As by the kernel, when memory is short; unless it is tried again."""
    if log.is_file():
        return family(log, wanted)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_a_killed_process_ends_the_run_with_the_eye_and_the_remedy_and_blames_no_eye(store: Store, log: Path):
    eyes = {name: recipe(name, partial(killed, log)) for name in ("a", "b")}
    with pytest.raises(OctaError, match=r"killed while it worked on .*\b[ab]\b.*--params execution\.workers=1"):
        put(store, eyes, execution=ExecutionConfig(workers=2, on_error="quarantine"))
    assert [path.name for path in store.folder.iterdir() if path.name.startswith((".working", "key"))] == []
    log.touch()
    assert put(store, eyes, execution=QUARANTINE).failed == {}


def test_an_eye_without_a_recipe_is_put_aside_and_not_remembered(store: Store, log: Path, caplog):
    unread = Recipes(recipes(log, "good"), {"bad": "subject bad: bad.nii: no such file"})
    loaded = put(store, unread, execution=QUARANTINE)
    assert (list(loaded), loaded.failed) == (["good"], {"bad": "subject bad: bad.nii: no such file"})
    assert "volumes: left out: subject bad: bad.nii" in caplog.text
    assert not list(store.folder.glob("*.failed.json"))


def test_what_others_depend_on_ends_the_run_with_its_own_remedy(store: Store, log: Path):
    job = Job({"3mm": recipe("3mm", partial(fail, log))}, None, QUARANTINE, needed="name another one")
    with pytest.raises(DataError, match=r"subject 3mm: the retina is not there \(name another one\)"):
        store.put_all(job, "references")


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
