"""For each kind of result: an edit of what it depends on changes its key, any other edit does not."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grimp
import pytest

from octa_kedro.results.code import NOT_FOLLOWED, code_of
from octa_kedro.results.modules import PACKAGE, ROOT, file_of
from tests.results.kinds import KINDS, OTHER_SOURCE, kind_code

TRAININGS = {"classifier", "autoencoder", "study"}
EYES = {"inspection", "reference", "processed"}
PREDICTING = {"reading", "predicted map", "predicted slab values"}
MAPS = {"map", "slab values", *PREDICTING}
# Module, what is edited there, and the kinds of result that must be made anew: no other may.
TRIAL = {
    "what a 2D network sees": ("preprocessing.patches", "def split_patches", TRAININGS | MAPS),
    "how maps are cut": ("training.data.patches", "def cut_patches", TRAININGS | MAPS),
    "the method of explanation": ("explain.gradients", "def integrated_gradients", MAPS),
    "views at prediction": ("training.data.views", "def views_of", {"classifier", "study", *PREDICTING}),
    "the device": ("training.engine.devices", "def pick_device", TRAININGS | MAPS),
    "what chooses the epoch": ("evaluation.metrics", "def ", TRAININGS | PREDICTING),
    "the network": ("models.native", "def ", TRAININGS | MAPS),
    "resampling": ("preprocessing.resampling", "def ", TRAININGS | EYES | MAPS),
    "registration": ("preprocessing.registration", "def ", {"reference", "processed"}),
    "quality measures": ("preprocessing.quality", "def ", {"inspection"}),
    "the reader": ("io.release", "def ", EYES | {"conversion", "biomarkers"}),
    "how vessels are found": ("biomarkers.vessels", "def ", {"biomarkers"}),
    "how files are written": ("io.nifti", "def write_nifti", set(KINDS) - {"phantom"}),
    "drawing vessels": ("phantom.vessels", "def ", {"phantom"}),
    "drawing of parameters": ("tuning.space", "def ", {"study"}),
    "a figure": ("evaluation.figures.history", "def ", set()),
    "the progress bar": ("io.progress", "def ", set()),
    "wording of an error": ("errors", "class ", set()),
    "wiring": ("pipelines.data_processing.nodes", "def ", set()),
    "scores of maps": ("explain.localisation", "def ", set()),
    "where results lie": ("results.store", "def ", set()),
    "what the log says": ("results.changes", "def ", set()),
    "how the history is drawn": ("training.state.history", "def ", set()),
    "how splits are drawn": ("cohort.splits", "def ", set()),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's source, to be edited."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / PACKAGE, ignore=ignored))


@pytest.fixture(scope="module")
def before(root: Path) -> dict[str, str]:
    return {kind: kind_code(kind, root).digest for kind in KINDS}


@contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    original, stat = path.read_text(), path.stat()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(original)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def file_in(root: Path, module: str) -> Path:
    path = file_of(module, root)
    assert path is not None
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_in_any_module_that_it_reaches_changes_its_key(kind: str, root: Path, before: dict[str, str]):
    reached = kind_code(kind, root).modules
    assert len(reached) > 10
    for module in reached:
        path = file_in(root, module)
        with edited(path, path.read_text() + "\n_EDITED = 1\n"):
            assert kind_code(kind, root).digest != before[kind], module


@pytest.mark.parametrize("kind", KINDS)
def test_it_reaches_what_another_reader_of_imports_finds(kind: str, graph: grimp.ImportGraph):
    code = kind_code(kind)
    waiting, found = [name for name in code.modules if name in _makers(kind)], set()
    while waiting:
        name = waiting.pop()
        if name not in found and name not in NOT_FOLLOWED:
            found.add(name)
            packages = [name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)]
            waiting += [*graph.find_modules_directly_imported_by(name), *packages]
    assert code.modules.keys() == found


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def _makers(kind: str) -> set[str]:
    names = {getattr(maker, "func", maker).__module__ for maker in KINDS[kind]}
    return names | ({"octa_kedro.io.release"} if kind in EYES | {"conversion", "biomarkers"} else set())


def test_comments_docstrings_and_lines_change_nothing(root: Path, before: dict[str, str]):
    texts = {path: path.read_text() for path in root.rglob("*.py")}
    for path, text in texts.items():
        reworded = re.sub(r'^( *)"""\w+', r'\1"""Reworded', text, flags=re.MULTILINE)
        path.write_text(re.sub(r"^(def |class )", r"\n# A comment.\n\1", reworded, flags=re.MULTILINE))
    try:
        assert {kind: kind_code(kind, root).digest for kind in KINDS} == before
    finally:
        for path, text in texts.items():
            path.write_text(text)


@pytest.mark.parametrize(("module", "marker", "expected"), TRIAL.values(), ids=TRIAL)
def test_an_edit_makes_anew_what_depends_on_it_and_nothing_else(
    *, module: str, marker: str, expected: set[str], root: Path, before: dict[str, str]
):
    path = file_in(root, f"{PACKAGE}.{module}")
    above, marker, below = path.read_text().partition(marker)
    assert marker
    with edited(path, above + marker + below.replace("return ", "return not ", 1) + "\n_EDITED = 1\n"):
        after = {kind: kind_code(kind, root).digest for kind in KINDS}
    assert {kind for kind in KINDS if after[kind] != before[kind]} == expected


def test_the_reader_of_the_source_counts():
    modules = code_of(*OTHER_SOURCE).modules
    assert "octa_kedro.io.nifti_folder" in modules
    assert "octa_kedro.io.release" not in modules
