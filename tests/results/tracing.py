"""Which code runs while a result is made: the truth that its fingerprint is compared with."""

import importlib.metadata
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from octa_kedro.inference import folders
from octa_kedro.io import release_writer
from octa_kedro.phantom import cohort
from octa_kedro.results.code import Code
from octa_kedro.results.keys import Key
from octa_kedro.results.modules import PACKAGE, ROOT
from octa_kedro.results.store import Store
from octa_kedro.training import autoencoder, classifier
from octa_kedro.tuning import search
from octa_kedro.tuning.study import StudyFile

SITE = Path(sysconfig.get_paths()["purelib"])


@dataclass
class Ran:
    """What ran while the results of one kind were made, and what their keys say of it."""

    codes: dict[int, CodeType] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)
    keys: list[Code] = field(default_factory=list)

    def unnoticed(self) -> dict[str, set[str]]:
        """By module of the package: functions that ran though not every key has the module."""
        noticed = set.intersection(*(set(key.modules) for key in self.keys))
        ran: defaultdict[str, set[str]] = defaultdict(set)
        for code in self.codes.values():
            if (module := _module(code.co_filename)) is not None and module not in noticed:
                ran[module].add(code.co_qualname)
        return dict(ran)

    def functions(self) -> int:
        """How many functions of the package ran."""
        return sum(_module(code.co_filename) is not None for code in self.codes.values())

    def unnoticed_libraries(self) -> set[str]:
        """Distributions that ran though not every key has their version."""
        noticed = set.intersection(*(set(key.libraries) for key in self.keys))
        tops = {_top(code.co_filename) for code in self.codes.values()} - {None}
        return {name for top in tops for name in _distributions().get(top, [top])} - noticed

    def data_files(self) -> set[Path]:
        """Files of the package that were read and are no source code."""
        return {path for path in self.files if path.is_relative_to(ROOT) and path.suffix not in {".py", ".pyc"}}


Trace = defaultdict[str, Ran]


@cache
def _module(file: str) -> str | None:
    path = Path(file)
    if not path.is_relative_to(ROOT):
        return None
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join((PACKAGE, *(part for part in parts if part != "__init__")))


@cache
def _top(file: str) -> str | None:
    path = Path(file)
    return path.relative_to(SITE).parts[0].removesuffix(".py") if path.is_relative_to(SITE) else None


@cache
def _distributions() -> Mapping[str, list[str]]:
    found = importlib.metadata.packages_distributions()
    return {top: sorted({name.lower() for name in names}) for top, names in found.items()}


_recording: list[Ran] = []


def _on_open(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _recording and isinstance(arguments[0], str):
        _recording[-1].files.add(Path(arguments[0]))


@contextmanager
def recording(ran: Ran) -> Iterator[None]:
    """Every function that is called in the block goes into `ran`, but for those in a recording within it."""

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            ran.codes[id(frame.f_code)] = frame.f_code

    before = sys.getprofile()
    _recording.append(ran)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
        _recording.pop()


def traced(patch: pytest.MonkeyPatch) -> Trace:
    """Records, from now on and in this process, whatever is made under a key: by kind."""
    trace: Trace = defaultdict(Ran)
    sys.addaudithook(_on_open)
    _trace_eyes(patch, trace)
    _trace_trainings(patch, trace)
    _trace_phantom_and_folders(patch, trace)
    return trace


def _trace_eyes(patch: pytest.MonkeyPatch, trace: Trace) -> None:
    put = Store.put

    def traced_put(self: Store, recipe: Any) -> None:
        ran = trace["/".join(recipe.ingredients)]
        ran.keys.append(recipe.code)
        with recording(ran):
            put(self, recipe)

    patch.setattr(Store, "put", traced_put)


def _trace_trainings(patch: pytest.MonkeyPatch, trace: Trace) -> None:
    for module, name in ((classifier, "fit_classifier"), (autoencoder, "fit_autoencoder")):
        keep = partial(_keep_code, trace[name].keys)
        patch.setattr(module, "training_key", _keeping(module.training_key, keep))
        patch.setattr(module, name, _recorded(getattr(module, name), trace[name]))
    patch.setattr(search, "run_trial", _recorded(search.run_trial, trace["study"]))
    opened = StudyFile.open

    def traced_open(self: StudyFile, name: str, goal: str, settings: Any, code: Code) -> Any:
        trace["study"].keys.append(code)
        return opened(self, name, goal, settings, code)

    patch.setattr(StudyFile, "open", traced_open)


def _keep_code(codes: list[Code], key: Key) -> None:
    codes.append(key.code)


def _trace_phantom_and_folders(patch: pytest.MonkeyPatch, trace: Trace) -> None:
    patch.setattr(cohort, "code_of", _keeping(cohort.code_of, trace["phantom"].keys.append))
    patch.setattr(release_writer, "_finish", _recorded(release_writer._finish, trace["phantom"]))
    patch.setattr(folders, "code_of", _keeping(folders.code_of, trace["folder"].keys.append))
    patch.setattr(folders, "write_eye", _recorded(folders.write_eye, trace["folder"]))


def _recorded(function: Callable[..., Any], ran: Ran) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        with recording(ran):
            return function(*arguments, **named)

    return run


def _keeping(function: Callable[..., Any], keep: Callable[[Any], None]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        keep(value := function(*arguments, **named))
        return value

    return run
