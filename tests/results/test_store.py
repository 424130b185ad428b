"""Families of results, quarantine, and work in several processes."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import DataError, OctaError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.store import Batch, Recipe, Result, Store

ONE, TWO = ExecutionConfig(workers=1), ExecutionConfig(workers=2)
QUARANTINE = ExecutionConfig(workers=1, on_error="quarantine")


def volume(value: float) -> Volume:
    return Volume(np.full((2, 3, 4), value, np.float32), np.eye(4), "OCTA", None, "eye")


def planes() -> PlaneStack:
    return PlaneStack(np.ones((2, 3, 1), np.float32), np.eye(4), ("ILM",), None, "eye")


PARTS = ("volume", "surfaces", "lesion")


def family(log: Path, wanted: list[str], value: float = 0.5) -> dict[str, Result]:
    """A volume and its surfaces, of an eye without a lesion; each making leaves a line."""
    with log.open("a") as file:
        file.write(" ".join(wanted) + "\n")
    made = {"volume": Result(volume(value), unit=True, facts={"tilt": 3.0}), "surfaces": Result(planes())}
    return {part: result for part, result in made.items() if part in wanted}


def fail(log: Path, wanted: list[str]) -> dict[str, Result]:
    family(log, wanted)
    raise DataError("the retina is not there")


def crash() -> dict[str, Result]:
    raise ZeroDivisionError("a mistake of ours")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "files", unit=False, compress=False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def recipes(part: str, log: Path, *names: str) -> dict[str, Recipe]:
    return {n: recipe(n, part, partial(family, log)) for n in names}


def recipe(name: str, part: str, make: Callable, settings: str = "") -> Recipe:
    """The surfaces depend on no settings."""
    family = {p: f"key-{name}" + ("" if p == "surfaces" else settings) for p in PARTS}
    return Recipe(family[part], make, {"subject": name}, part, family)


def test_a_family_is_made_once_whichever_part_is_saved_first(store: Store, log: Path):
    first = store.put_all(Batch(recipes("volume", log, "a", "b"), ONE), "volumes")
    second = store.put_all(Batch(recipes("surfaces", log, "a", "b"), ONE), "surfaces")
    assert log.read_text().count("\n") == 2
    assert store.open_all(first)["a"]().array[0, 0, 0] == pytest.approx(0.5, abs=1e-5)
    assert store.open_all(second)["b"]().names == ("ILM",)
    assert store.open_all(first)["a"].meta["tilt"] == 3.0
    assert store.open_all(second)["b"].meta["subject"] == "b"


def test_a_part_that_an_eye_lacks_is_left_out_and_not_sought_again(store: Store, log: Path):
    batch = Batch(recipes("lesion", log, "a"), ONE)
    for _ in range(2):
        loaded = store.open_all(store.put_all(batch, "lesions"))
        assert loaded == {}
        assert loaded.failed == {}
    assert log.read_text().count("\n") == 1


def test_a_changed_setting_makes_again_only_what_depends_on_it(store: Store, log: Path):
    first = store.put(recipe("a", "surfaces", partial(family, log)))
    store.put(recipe("a", "volume", partial(family, log), "other"))
    assert store.put(recipe("a", "surfaces", partial(family, log), "other")) == first
    assert log.read_text().splitlines() == ["volume surfaces lesion", "volume lesion"]


def test_quarantine_keeps_the_reason_and_goes_on(store: Store, log: Path):
    mixed = {"bad": recipe("bad", "volume", partial(fail, log)), **recipes("volume", log, "good")}
    loaded = store.open_all(store.put_all(Batch(mixed, QUARANTINE), "volumes"))
    assert list(loaded) == ["good"]
    assert loaded.failed == {"bad": "subject bad: the retina is not there"}
    again = {"bad": recipe("bad", "surfaces", partial(fail, log))}
    assert store.open_all(store.put_all(Batch(again, QUARANTINE), "surfaces")).failed.keys() == {"bad"}
    assert log.read_text().count("\n") == 2  # neither its other part nor a second run tried the bad eye again


def test_without_quarantine_the_run_stops_but_keeps_what_is_finished(store: Store, log: Path):
    mixed = recipes("volume", log, "good") | {"bad": recipe("bad", "volume", partial(fail, log))}
    with pytest.raises(DataError, match=r"subject bad: the retina is not there \(execution.on_error"):
        store.put_all(Batch(mixed, ONE), "volumes")
    store.put_all(Batch(recipes("volume", log, "good"), ONE), "volumes")
    assert log.read_text().count("\n") == 2


def test_a_remembered_failure_does_not_hide_the_error_once_the_run_must_stop(store: Store, log: Path):
    bad = {"bad": recipe("bad", "volume", partial(fail, log))}
    store.put_all(Batch(bad, QUARANTINE), "volumes")
    with pytest.raises(DataError, match="subject bad"):
        store.put_all(Batch(bad, ONE), "volumes")


def test_a_mistake_in_the_code_is_never_quarantined(store: Store):
    with pytest.raises(ZeroDivisionError):
        store.put_all(Batch({"a": Recipe("key-a", crash)}, QUARANTINE), "volumes")


@pytest.mark.parametrize("execution", [ONE, TWO])
def test_entries_are_in_the_order_asked_for_and_the_same_for_any_number_of_workers(
    store: Store, log: Path, execution: ExecutionConfig
):
    entries = store.put_all(Batch(recipes("volume", log, "c", "a", "b"), execution), "volumes")
    assert list(entries) == ["c", "a", "b"]
    assert len({entry["sha256"] for entry in entries.values()}) == 1
    assert log.read_text().count("\n") == 3


def test_an_error_in_another_process_names_its_subject(store: Store, log: Path):
    mixed = {"bad": recipe("bad", "volume", partial(fail, log)), **recipes("volume", log, "good", "fair")}
    with pytest.raises(OctaError, match="subject bad"):
        store.put_all(Batch(mixed, TWO), "volumes")


def test_a_result_whose_file_is_gone_is_made_again(store: Store, log: Path):
    entries = store.put_all(Batch(recipes("volume", log, "a"), ONE), "volumes")
    (store.folder / entries["a"]["file"]).unlink()
    store.put_all(Batch(recipes("volume", log, "a"), ONE), "volumes")
    assert log.read_text().count("\n") == 2
    assert json.loads((store.folder / "key-a-volume.json").read_text())["file"] == entries["a"]["file"]
