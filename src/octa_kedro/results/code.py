"""The fingerprint of the code that makes a result, computed from the functions that make it."""

import hashlib
import importlib.metadata
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

from octa_kedro.errors import ConfigError
from octa_kedro.results.modules import PACKAGE, ROOT, Module, file_of, read_module

NOT_FOLLOWED: Mapping[str, str] = {
    "octa_kedro": "holds the version, which every release changes",
    "octa_kedro.errors": "an error ends what would have been a result",
    "octa_kedro.config": "refuses wrong parameters; the values that it lets through are in the key themselves",
    "octa_kedro.io.progress": "shows how far a run has come",
    "octa_kedro.results.changes": "tells in the log why something is made anew",
    "octa_kedro.results.code": "makes names of results, which change with it where it matters",
    "octa_kedro.results.keys": "makes names of results, which change with it where it matters",
    "octa_kedro.results.modules": "makes names of results, which change with it where it matters",
    "octa_kedro.training.familiar": "tells what training eyes looked like; the card that says it is written each time",
    "octa_kedro.training.state.history": "shows a training while it runs: table and figure in its folder",
    "octa_kedro.training.state.recorder": "shows a training while it runs: progress, table, figure, trackers",
    "octa_kedro.training.state.trackers": "sends a training's history elsewhere",
    "octa_kedro.tuning.result": "tells what a search has found",
}
"""Modules that a result can not depend on, and why: neither they nor what only they import is part of a fingerprint."""

NOT_COMPUTING = {
    *("joblib", "threadpoolctl"),  # where work is done, not what
    *("pydantic", "omegaconf", "yaml", "sqlalchemy"),  # read and keep parameters and lists
    *("tqdm", "matplotlib", "mlflow", "tensorboard"),  # show what is going on
}
"""Libraries whose version does not matter to a result."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "pytorch_grad_cam": "grad-cam",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
"""Under another name than they are imported by, for speed: asking the metadata of every package takes a second."""

PYTHON = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
"""Counts as a library: another version may draw other random numbers, and order or round otherwise."""


@dataclass(frozen=True)
class Code:
    """What makes a result: hashes of modules by their names, and versions of libraries by theirs."""

    modules: Mapping[str, str]
    libraries: Mapping[str, str]

    @property
    def digest(self) -> str:
        """One hash of all modules; libraries are not in it."""
        text = "\n".join(f"{name} {digest}" for name, digest in sorted(self.modules.items()))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def to_json(self) -> dict[str, dict[str, str]]:
        """As it is kept beside results."""
        return {"modules": dict(self.modules), "libraries": dict(self.libraries)}


def code_of(*makers: object, root: Path = ROOT) -> Code:
    """The code that `makers` reach: functions, classes, methods, partial applications of them, or objects.

    Of a method also its object's class counts, of a partial application the classes of its arguments, such as the
    reader that a source is. `root` is the folder of this package's source. ConfigError for a maker that is defined in
    no file.
    """
    reached = _reached({name for maker in makers for name in _homes(maker)}, root)
    modules = {name: module.digest for name, module in sorted(reached.items())}
    outside = frozenset[str]().union(*(module.outside for module in reached.values()))
    return Code(modules, PYTHON | _versions(outside - NOT_COMPUTING))


def _homes(maker: object) -> Iterator[str]:
    """The modules in which what makes a result is defined."""
    if isinstance(maker, partial):
        yield from _homes(maker.func)
        yield from _homes_of_arguments([*maker.args, *maker.keywords.values()])
    elif isinstance(maker, MethodType):
        yield from _homes(maker.__func__)
        yield from _homes(type(maker.__self__))
    elif isinstance(maker, FunctionType):
        yield maker.__module__
    elif isinstance(maker, type):
        yield from (one.__module__ for one in maker.__mro__ if one is maker or _is_ours(one))
    else:
        yield from _homes(type(maker))
        if (inner := getattr(maker, "__wrapped__", None)) is not None:  # as functools marks what stands for another
            yield from _homes(inner)


def _homes_of_arguments(values: list[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list | tuple | set | frozenset):
            yield from _homes_of_arguments(list(value))
        elif isinstance(value, Mapping):
            yield from _homes_of_arguments(list(value.values()))
        elif _is_ours(type(value)) or isinstance(value, partial | MethodType | FunctionType):
            yield from _homes(value)


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == PACKAGE


def _reached(homes: set[str], root: Path) -> dict[str, Module]:
    """The modules `homes` and all that they import, directly or through others."""
    reached: dict[str, Module] = {}
    waiting = sorted(homes)
    while waiting:
        name = waiting.pop()
        if name not in reached and name not in NOT_FOLLOWED:
            reached[name] = read_module(name, _file_of(name, root), root)
            waiting.extend(reached[name].inside - reached.keys())
    return reached


def _file_of(name: str, root: Path) -> Path:
    """Of a module of this package, or of a test or notebook that makes results of its own."""
    if (path := file_of(name, root)) is not None:
        return path
    if name.partition(".")[0] != PACKAGE and (known := getattr(sys.modules.get(name), "__file__", None)):
        return Path(known)
    raise ConfigError(f"{name}: is no file whose code could be told from another's; define what makes results in one")


@cache
def _versions(libraries: frozenset[str]) -> dict[str, str]:
    """The version of each library that is installed, by the name that it is installed under."""
    found = {}
    for library in sorted(libraries):
        for name in _distributions(library):
            found[name] = importlib.metadata.version(name)
    return found


def _distributions(library: str) -> list[str]:
    for name in (DISTRIBUTIONS.get(library, library), library):
        try:
            return [importlib.metadata.metadata(name)["Name"].lower()]
        except importlib.metadata.PackageNotFoundError:
            continue
    return sorted({name.lower() for name in importlib.metadata.packages_distributions().get(library, ())})
