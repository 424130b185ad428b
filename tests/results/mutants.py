"""Changes of meaning, one at a time, of functions of the running package; and the nodes of a run to try them on.

A recipe's arguments are put together in the process that asks for the result, by code that is not in the key. What they
are has to be: two recipes of the same name must be given the same.
"""

import ast
import copy
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
import torch
from joblib.hashing import NumpyHasher
from kedro.pipeline.node import Node

from octa_kedro.results.recipe import Job, Recipe

Recipes = dict[tuple[str, str, str], Recipe]
SWAPPED: dict[type, type] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip


class _Hasher(NumpyHasher):
    """Hashes the numbers of a tensor; what torch writes of one holds its place in memory."""

    def save(self, obj: Any) -> None:
        super().save(obj.detach().numpy() if isinstance(obj, torch.Tensor) else obj)


@dataclass(frozen=True)
class Maker:
    """A node that returns jobs, with what a run has given it."""

    node: Node
    inputs: Mapping[str, Any]

    def recipes(self) -> Recipes:
        """By output, eye and part."""
        return {
            (output, eye, part): recipe
            for output, job in self.node.run(dict(self.inputs)).items()
            if isinstance(job, Job)
            for eye, recipe, part in job.wanted()
        }

    def given(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """Of every recipe the name of its files, and a hash of all that its maker is given."""
        return {key: (one.name(key[2]), _Hasher("md5").hash(one.make)) for key, one in self.recipes().items()}


def kept_makers(patch: pytest.MonkeyPatch) -> dict[str, Maker]:
    """One node for each function that returns jobs, by the name of the function, filled while a run goes on."""
    makers: dict[str, Maker] = {}
    run = Node.run

    def keeping(self: Node, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
        made = run(self, inputs)
        if any(isinstance(one, Job) and one.recipes for one in made.values()):
            makers.setdefault(self.func.__name__, Maker(self, dict(inputs or {})))
        return made

    patch.setattr(Node, "run", keeping)
    return makers


@dataclass(frozen=True)
class Mutant:
    """A function with one change of meaning, at a line."""

    function: FunctionType
    code: CodeType
    line: int
    change: str

    @contextmanager
    def alive(self) -> Iterator[None]:
        """In the block the function is the changed one, wherever it has been imported."""
        original = self.function.__code__
        self.function.__code__ = self.code
        try:
            yield
        finally:
            self.function.__code__ = original


def mutants(module: str, name: str) -> Iterator[Mutant]:
    """All changes of the function with qualified name `name`; none of what is no function of the module."""
    function = _function(module, name)
    if function is None:
        return
    path = Path(function.__code__.co_filename)
    tree = ast.parse(path.read_text())
    count = sum(1 for _ in _places(_definition(tree, name)))
    for number in range(count):
        changed = copy.deepcopy(tree)
        node, change = list(_places(_definition(changed, name)))[number]
        change(node)
        code = _code(compile(ast.fix_missing_locations(changed), str(path), "exec"), name)
        if code.co_freevars == function.__code__.co_freevars:
            yield Mutant(function, code, node.lineno, f"{type(node).__name__} in {name}")


def _function(module: str, name: str) -> FunctionType | None:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part, None)
        while not isinstance(found, FunctionType | type):
            inner = next((getattr(found, a) for a in ("func", "fget", "__func__") if hasattr(found, a)), None)
            if inner is None:
                return None
            found = inner
    return found if isinstance(found, FunctionType) and found.__module__ == module else None


def _definition(tree: ast.AST, name: str) -> ast.AST:
    for part in name.split("."):
        tree = next(node for node in ast.iter_child_nodes(tree) if getattr(node, "name", None) == part)
    return tree


def _code(code: CodeType, name: str) -> CodeType:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            if one.co_qualname == name:
                return one
            if name.startswith(f"{one.co_qualname}."):
                return _code(one, name)
    raise LookupError(name)


def _places(definition: ast.AST) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    for node in ast.walk(definition):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
            yield node, lambda n: n.ops.__setitem__(0, SWAPPED[type(n.ops[0])]())
        elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in SWAPPED:
            yield node, lambda n: setattr(n, "op", SWAPPED[type(n.op)]())
        elif isinstance(node, ast.If | ast.IfExp):
            yield node, lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, lambda n: setattr(n, "value", not n.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, lambda n: setattr(n, "value", n.value + 1)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node, lambda n: setattr(n, "value", f"{n.value}_")
        elif isinstance(node, ast.Return) and node.value is not None:
            yield node, lambda n: setattr(n, "value", ast.Constant(None))
        elif isinstance(node, ast.Call) and len(node.args) == 2:
            yield node, lambda n: n.args.reverse()
