"""Small eyes whose results are stored, and how their making can fail."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.code import Code
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Manifest

ONE, TWO = ExecutionConfig(workers=1), ExecutionConfig(workers=2)
QUARANTINE = ExecutionConfig(workers=1, on_error="quarantine")
PARTS = ("volume", "surfaces", "lesion")
CODE = Code({"octa_kedro.preprocessing.eye": "1", "octa_kedro.io.nifti": "1"}, {"numpy": "2.0"})
EDITED = replace(CODE, modules={**CODE.modules, "octa_kedro.io.nifti": "2"})
UPGRADED = replace(CODE, libraries={"numpy": "3.0"})


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was told; other tests of the same process may have made the log tell progress as well."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def volume(value: float) -> Volume:
    return Volume(np.full((2, 3, 4), value, np.float32), np.eye(4), "OCTA", None, "eye")


def planes() -> PlaneStack:
    return PlaneStack(np.ones((2, 3, 1), np.float32), np.eye(4), ("ILM",), None, "eye")


def family(log: Path, wanted: list[str], value: float = 0.5) -> dict[str, Result]:
    """A volume and its surfaces, of an eye without a lesion; each making leaves a line."""
    with log.open("a") as file:
        file.write(" ".join(wanted) + "\n")
    made = {"volume": Result(volume(value), unit=True, facts={"tilt": 3.0}), "surfaces": Result(planes())}
    return {part: result for part, result in made.items() if part in wanted}


def fail(log: Path, wanted: list[str]) -> dict[str, Result]:
    family(log, wanted)
    raise DataError("the retina is not there")


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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "files")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"
