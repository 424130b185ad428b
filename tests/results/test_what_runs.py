"""Nothing runs unnoticed while a result is made: what runs is compared with what is in the key, on the tiny mission.

A function that runs although no edit of it changes the key could leave a result of other code in use.
"""

from pathlib import Path

import pytest

from octa_kedro.results.code import NOT_COMPUTING, NOT_FOLLOWED
from tests.pipelines.conftest import PHANTOM, new_project, run
from tests.results.tracing import Trace, traced

pytestmark = pytest.mark.slow

KINDS = {
    *("surfaces/thumbnail", "volume/enface/surfaces/lesion/oct/flatten", "volume", "image/surfaces"),
    *("biomarkers", "map", "slab_values", "map_over_scan", "reading"),
    *("phantom", "fit_autoencoder", "fit_classifier", "study", "folder"),
}
ONLY_SHOWN = {
    "octa_kedro.evaluation.figures.history": "draws the history while a network is trained",
    "octa_kedro.evaluation.predictions": "refuses a history without the columns that are drawn",
    "octa_kedro.io.seals": "tells what a table was made from; pandas copies that along with the table",
    "octa_kedro.messages.log_lines": "shows lines of the log",
    "octa_kedro.panels": "draws the history while a network is trained",
    "octa_kedro.preprocessing.appearance": "names what a card tells of training eyes; the card is written each time",
    "octa_kedro.preprocessing.recipes": "asks whether an eye's files are still what they were",
    "octa_kedro.results.recipe": "names files",
    "octa_kedro.results.store": "names files, and writes cards beside them",
    "octa_kedro.training.state.history": "writes the history as a table and a figure",
}
"""Modules that may run unnoticed beside those of `NOT_FOLLOWED`, and why."""

UNCOUNTED = {
    **dict.fromkeys(("absl-py", "cycler", "mlflow", "pillow", "pyparsing", "tensorboard"), "writes or draws a history"),
    **dict.fromkeys(("importlib_metadata", "packaging", "pluggy", "setuptools", "zipp"), "asks what is installed"),
    **dict.fromkeys(("lightning-utilities", "typing_extensions"), "a part of lightning-fabric without arithmetic"),
    "narwhals": "lets scikit-learn ask whether its input is a data frame",
    "pytest": "runs this test",
    "ttach": "imported by grad-cam; smoothing by views is not used",
}
"""Distributions that may run without being in a key beside `NOT_COMPUTING`, and why."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Everything that is made under a key, once each."""
    with pytest.MonkeyPatch.context() as patch:
        trace = traced(patch)
        project = new_project(tmp_path_factory.mktemp("traced"))
        run(project)
        run(project, pipeline_names=["conversion"])
        run(project, pipeline_names=["inference"], params={"source": {"path": str(project / PHANTOM)}})
        run(project, pipeline_names=["tuning"])
        registered = {"method": "affine", "min_overlap": 0.3}
        changed = {"registration": registered, "flatten": "BM", "with_oct": True, "mask_slab": "ILM_BM"}
        run(project, pipeline_names=["data_processing"], params={"processing": changed})
    return trace


def test_every_kind_of_result_is_traced(trace: Trace):
    assert trace.keys() == KINDS
    assert all(ran.keys and ran.functions() > 30 for ran in trace.values())


def test_no_function_runs_whose_edit_would_not_be_noticed(trace: Trace):
    unnoticed = {module for ran in trace.values() for module in ran.unnoticed()}
    assert unnoticed <= NOT_FOLLOWED.keys() | ONLY_SHOWN.keys()
    assert ONLY_SHOWN.keys() <= unnoticed, "an exception that nothing needs"


def test_no_library_runs_whose_version_would_not_be_noticed(trace: Trace):
    unnoticed = {name for ran in trace.values() for name in ran.unnoticed_libraries()}
    assert unnoticed <= NOT_COMPUTING | UNCOUNTED.keys()


def test_no_file_of_the_package_is_read_that_is_no_code(trace: Trace):
    assert {path for ran in trace.values() for path in ran.data_files()} == set[Path]()
