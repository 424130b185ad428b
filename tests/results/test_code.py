"""What a fingerprint of code follows, on packages of a few lines."""

import ast
import importlib.metadata
import platform
from functools import partial
from pathlib import Path

import pytest

from octa_kedro.errors import ConfigError, OctaError
from octa_kedro.results import code, modules
from octa_kedro.results.code import DISTRIBUTIONS, NOT_COMPUTING, NOT_FOLLOWED, Code, code_of
from octa_kedro.results.keys import Key
from octa_kedro.results.modules import ROOT, file_of, read_module
from octa_kedro.results.stored import Stored


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in which `a` imports all others in one way each, but for `unseen`."""
    files = {
        "__init__.py": "",
        "a.py": (
            "from typing import TYPE_CHECKING\n"
            "import octa_kedro.plain\n"
            "from octa_kedro import module\n"
            "from octa_kedro.names import function\n"
            "from .relative import other\n"
            "if TYPE_CHECKING:\n    from octa_kedro.unseen import Type\nelse:\n    from octa_kedro import otherwise\n"
            "def make():\n    from octa_kedro.room import inside\n    import scipy.ndimage\n"
        ),
        "room/__init__.py": "from octa_kedro.room import beside\n",
        "room/inside.py": "import numpy as np\nimport json\n",
        "room/beside.py": "",
        **{f"{name}.py": "X = 1\n" for name in ("plain", "module", "names", "relative", "otherwise", "unseen")},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def read(package: Path, name: str) -> modules.Module:
    path = file_of(f"octa_kedro.{name}", package)
    assert path is not None
    return read_module(f"octa_kedro.{name}", path, package)


def test_every_way_to_import_is_followed_but_for_types(package: Path):
    expected = {"plain", "module", "names", "relative", "otherwise", "room", "room.inside"}
    module = read(package, "a")
    assert module.inside == {"octa_kedro", *(f"octa_kedro.{name}" for name in expected)}
    assert module.outside == {"scipy"}
    assert read(package, "room").inside == {"octa_kedro", "octa_kedro.room.beside"}
    inside = read(package, "room.inside")
    assert (inside.inside, inside.outside) == ({"octa_kedro", "octa_kedro.room"}, {"numpy"})


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("X = 1  # a comment\n", True),
        ('"""Docstring."""\n\nX = 1\n"""Of a constant."""\n', True),
        ("X = (\n    1\n)\n", True),
        ("X = 2\n", False),
        ("X = 1.0\n", False),
        ("Y = 1\n", False),
        ('X = "1"\n', False),
    ],
)
def test_only_code_counts(package: Path, text: str, same: bool):
    first = read(package, "plain").digest
    (package / "plain.py").write_text(text)
    assert (read(package, "plain").digest == first) is same


def test_a_string_that_is_used_is_no_docstring(package: Path):
    (package / "plain.py").write_text('def f():\n    """Doc."""\n    return "a"\n')
    first = read(package, "plain").digest
    (package / "plain.py").write_text('def f():\n    """Other."""\n    return "bb"\n')
    assert read(package, "plain").digest != first


def make(_parts: list[str]) -> dict:
    return {}


class Maker:
    def make(self, _parts: list[str]) -> dict:
        return {}

    def __call__(self) -> None: ...


@pytest.mark.parametrize("maker", [make, Maker, Maker().make, Maker(), partial(make, 1), partial(partial(make), a=2)])
def test_a_maker_may_be_any_callable_also_outside_the_package(maker: object):
    assert __name__ in code_of(maker).modules


def test_classes_of_arguments_count_however_deep(tmp_path: Path):
    stored = Stored(tmp_path, "0", {})
    for argument in (stored, [stored], {"a": (stored,)}, partial(make, stored)):
        assert "octa_kedro.results.stored" in code_of(partial(Maker, argument)).modules


def test_what_is_defined_in_no_file_is_refused():
    namespace: dict = {"__name__": "nowhere"}
    exec("def make(): ...", namespace)
    with pytest.raises(ConfigError, match="nowhere: is no file"):
        code_of(namespace["make"])


def test_an_edit_while_the_run_goes_on_is_refused(monkeypatch: pytest.MonkeyPatch):
    path = ROOT / "results" / "stored.py"
    monkeypatch.setitem(modules._STAMPS, path, (0, 0))
    with pytest.raises(OctaError, match=r"stored\.py: was edited while this run goes on"):
        code_of(Stored)


def test_a_digest_is_of_modules_and_not_of_libraries():
    code = Code({"a": "1"}, {"numpy": "1"})
    assert code.digest == Code({"a": "1"}, {"numpy": "2"}).digest
    assert len({code.digest, Code({"a": "2"}, {}).digest, Code({"b": "1"}, {}).digest}) == 3


def test_libraries_are_those_that_compute():
    from octa_kedro.preprocessing.making import processed_parts

    libraries = code_of(processed_parts).libraries
    assert libraries["numpy"] == importlib.metadata.version("numpy")
    assert {"scipy", "simpleitk", "nibabel"} <= libraries.keys()
    assert libraries.keys().isdisjoint(NOT_COMPUTING)


def test_the_version_of_python_counts_as_one_of_a_library(monkeypatch: pytest.MonkeyPatch):
    now = code_of(read_module)
    assert now.libraries["python"] == ".".join(platform.python_version_tuple()[:2])
    monkeypatch.setattr(code, "PYTHON", {"python": "4.0"})
    later = code_of(read_module)
    assert (later.digest, later.libraries["python"]) == (now.digest, "4.0")
    assert Key("x", now).name != Key("x", later).name


def test_names_of_distributions_are_those_of_the_environment():
    known = importlib.metadata.packages_distributions()
    assert {name: [dist] for name, dist in DISTRIBUTIONS.items()} == {
        name: sorted({dist.lower() for dist in known[name]}) for name in DISTRIBUTIONS
    }


def test_exceptions_are_modules_that_exist():
    assert [name for name in NOT_FOLLOWED if file_of(name) is None] == []


def test_no_import_can_be_missed():
    """Imports by a computed name, of everything, or code that is given as text."""
    found = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "id", getattr(node, "attr", None))
            star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
            if star or name in {"import_module", "__import__", "exec", "__doc__"}:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
