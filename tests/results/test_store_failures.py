"""Eyes whose results cannot be made: what is put aside, what is remembered, and what ends the run."""

import errno
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
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job, Recipes
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from tests.results.storing import (
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
)

__all__ = ["log", "store"]


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


def crash(_parts: list[str]) -> dict[str, Result]:
    raise ZeroDivisionError("a mistake of ours")


def test_a_mistake_in_the_code_is_never_quarantined(store: Store):
    with pytest.raises(ZeroDivisionError):
        put(store, {"a": recipe("a", crash)}, execution=QUARANTINE)


def test_an_error_in_another_process_names_its_subject(store: Store, log: Path):
    mixed = {"bad": recipe("bad", partial(fail, log)), **recipes(log, "good", "fair")}
    with pytest.raises(OctaError, match="subject bad"):
        put(store, mixed, execution=TWO)


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
