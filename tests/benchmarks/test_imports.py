"""Benchmarks are run by hand, and must not be found broken then: what they import is there."""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from tests.conftest import ROOT

BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_can_be_imported(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    assert module.__doc__


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_hides_no_module_of_its_name(path: Path):
    """The folder of a script comes first on its path: `coverage.py` was what numba got for the package coverage."""
    others = [folder for folder in sys.path if Path(folder).resolve() != path.parent]
    assert PathFinder.find_spec(path.stem, others) is None
