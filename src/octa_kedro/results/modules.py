"""Source files of this package, read without importing them: what each imports, and a hash of what it does."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from octa_kedro.errors import OctaError

PACKAGE = "octa_kedro"
ROOT = Path(__file__).parents[1]
Stamp = tuple[int, int]


class Module(NamedTuple):
    """One source file: a hash of its code, the modules of this package that it imports, other packages."""

    digest: str
    inside: frozenset[str]
    outside: frozenset[str]


@cache
def file_of(name: str, root: Path = ROOT) -> Path | None:
    """The source file of a module of this package, whose folder is `root`; None if there is none of that name."""
    top, *rest = name.split(".")
    if top != PACKAGE:
        return None
    place = root.joinpath(*rest)
    candidates = (place / "__init__.py", place.with_suffix(".py")) if rest else (place / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)


def read_module(name: str, path: Path, root: Path = ROOT) -> Module:
    """The source of module `name`, parsed once per process.

    OctaError if a file of the running package was edited after the process began: nobody could tell whether the code
    that runs is the one that the file holds.
    """
    stamp = _stamp(path)
    if root == ROOT and path.is_relative_to(ROOT) and _STAMPS.get(path) != stamp:
        raise OctaError(f"{path}: was edited while this run goes on; start the run again, it goes on where it stopped")
    return _parsed(name, path, root, stamp)


def _stamp(path: Path) -> Stamp:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


_STAMPS = {path: _stamp(path) for path in ROOT.rglob("*.py")}


@cache
def _parsed(name: str, path: Path, root: Path, _stamp: Stamp) -> Module:
    tree = ast.parse(path.read_bytes(), filename=str(path))
    inside, outside = set(_with_parents(name, root)), set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for found in _imported(tree, package):
        top = found.partition(".")[0]
        if top == PACKAGE:
            inside |= set(_with_parents(found, root))
        elif top not in sys.stdlib_module_names:
            outside.add(top)
    return Module(_digest(tree), frozenset(inside - {name}), frozenset(outside))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that are imported anywhere below `node`, except for type checkers only.

    ``from a import b`` gives ``a.b``, which may be a module or a name in one.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _is_for_type_checkers(child.test):
            for other in child.orelse:
                yield from _imported(ast.Module([other], []), package)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            above = package.rsplit(".", child.level - 1)[0] if child.level else ""
            base = ".".join(part for part in (above, child.module) if part)
            yield from (f"{base}.{alias.name}" for alias in child.names)
        else:
            yield from _imported(child, package)


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name == "TYPE_CHECKING"


def _with_parents(name: str, root: Path) -> Iterator[str]:
    """The module that `name` is or lies in, and the packages round it, whose ``__init__`` runs first."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        parent = ".".join(parts[:length])
        if file_of(parent, root) is not None:
            yield parent


def _digest(tree: ast.Module) -> str:
    words: list[str] = []
    _spell(tree, words)
    return hashlib.blake2b("".join(words).encode(), digest_size=8).hexdigest()


def _spell(node: object, words: list[str]) -> None:
    """The parsed source as words without places, comments, docstrings, and fields that are empty (which ones there are
    differs between versions of Python)."""
    if isinstance(node, list):
        words.append("[")
        for one in node:
            if not _is_a_docstring(one):
                _spell(one, words)
        words.append("]")
    elif isinstance(node, ast.AST):
        words.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != []:
                words.append(name)
                _spell(value, words)
        words.append(")")
    else:
        words.append(f"={node!r};")


def _is_a_docstring(node: object) -> bool:
    """Of a module, class or function, or of the constant above it: a string that stands alone does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
