"""Errors in the use of the command line, which Kedro shows as tracebacks, are one line with the remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError

from octa_kedro import cli
from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.errors import ConfigError
from octa_kedro.messages.kedro_errors import kedro_words
from octa_kedro.models.files import read_weights
from octa_kedro.running.upkeep import require_folder
from tests.pipelines.conftest import run

Use = Callable[..., str]


@pytest.fixture
def use(project: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """What the command `run` says to these options, in this process."""
    monkeypatch.chdir(project)
    monkeypatch.setattr("octa_kedro.cli.interruptible", _undisturbed)
    metadata = bootstrap_project(project)

    def called(*options: str) -> str:
        monkeypatch.setattr("sys.argv", ["kedro", "run", "--env", "test", *options])
        result = CliRunner().invoke(cli.run, ["--env", "test", *options], obj=metadata, prog_name="run")
        assert result.exit_code != 0
        assert result.exception is None or isinstance(result.exception, ConfigError | SystemExit)
        return str(result.exception) if isinstance(result.exception, ConfigError) else result.output

    return called


class _undisturbed:  # noqa: N801 - in place of a function; pytest has its own answer to signals
    def __enter__(self) -> None: ...
    def __exit__(self, *what: Any) -> None: ...


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--load-versions", "splitz:1"], "--load-versions splitz: there is none of this name; did you mean splits?"),
        (["--load-versions", "splits:2020"], "--load-versions splits:2020: there is no such version; it was never"),
        (["--load-versions", "source:2020"], "--load-versions source: this dataset has no versions"),
        (["--load-versions", "splits"], "'dataset_name:YYYY"),
        (["--runner", "SequentialRuner"], "did you mean SequentialRunner?"),
        (["--runner", "no.Where"], "there are ParallelRunner, SequentialRunner, ThreadRunner"),
        (["--runner-params", "max_workers=3"], "--runner-params: SequentialRunner does not take them"),
        (["--namespaces", "evaluatoin"], "did you mean evaluation?"),
        (["--pipeline", "evaluation", "--pipelines", "evaluation"], "cannot be used together"),
        (["--from-nodes", "evaluation.pool_models", "--to-nodes", "draw_splits"], "together they leave no node"),
        (
            ["--pipelines", "evaluation"],
            "run the pipeline data_processing first: kedro run --env test --pipelines data",
        ),
        (["--conf-source", "pyproject.toml"], "pyproject.toml: is no folder"),
    ],
)
def test_wrong_use_is_one_line(use: Use, options: list[str], words: str):
    assert words in use(*options)


def test_a_damaged_file_of_options_is_named(use: Use, project: Path):
    (project / "options.yml").write_text("run: [1, 2")
    assert "cannot be read as YAML" in use("--config", "options.yml")
    (project / "options.yml").write_text("- a")
    assert "has no section run" in use("--config", "options.yml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: {b: \xff}", "is no UTF-8 text (byte 7: 0xff)"),
        (b"a: 1\na: 2", "line 2: found duplicate key a"),
        (b"a:\n\tb: 1", "line 2: begins with a tab; indent by spaces"),
        (b"c: 1\na: [1\nb: 2", "line 2: the bracket [ that is opened there is not closed"),
        (b'a: "1\nb: 2', "line 1: the quotation mark that is opened there is not closed"),
        (b"a: 1\n b: 2", "line 2: mapping values are not allowed here"),
    ],
)
def test_a_damaged_configuration_file_is_named(project: Path, content: bytes, words: str):
    (project / "conf/local/parameters.yml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"conf/local/parameters\.yml") as caught:
        run(project, pipeline_names=["conversion"])
    assert words in str(caught.value)


def test_a_missing_catalog_or_configuration_is_named(project: Path):
    (project / "conf/base/catalog.yml").unlink()
    with pytest.raises(ConfigError, match=r"conf/base: holds no catalog\.yml"):
        run(project, pipeline_names=["conversion"])
    with pytest.raises(ConfigError, match="name the folder conf of a project by --conf-source"):
        ConfigLoader(project / "nowhere")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("structure.yml", r"conf/base: holds no structure\.yml"),
        ("parameters_training.yml", r"conf/base: no file there has the parameters training_3d, .*copy it again"),
    ],
)
def test_a_lost_file_of_the_base_environment_is_named(project: Path, file: str, words: str):
    (project / "conf/base" / file).unlink()
    with pytest.raises(ConfigError, match=words):
        run(project, pipeline_names=["conversion"])


def test_a_wrong_logging_file_is_named(project: Path):
    (project / "conf/local/logging.yml").write_text("version: 1\nhandlers: {x: {class: no.X}}\nroot: {handlers: [x]}")
    with pytest.raises(ConfigError, match=r"logging\.yml of the configuration folders: Module 'no'"):
        run(project, pipeline_names=["conversion"])


def test_a_wrong_catalog_entry_is_named(project: Path):
    (project / "conf/local/catalog.yml").write_text("splits: {type: pandas.CSVDataset, filepaht: x.csv}")
    with pytest.raises(DatasetError) as caught:
        run(project, node_names=["tabulate_folds"])
    assert (kedro_words(caught.value) or "").startswith("catalog entry splits: CSVDataset.__init__() got an unexpected")


def test_data_that_is_no_folder_is_named(tmp_path: Path):
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="a file, where results need a folder"):
        require_folder(tmp_path / "data")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ConfigError, match="a link to nowhere, which is not there"):
        require_folder(tmp_path / "link")


def test_inputs_in_memory_need_the_node_that_makes_them(project: Path):
    bootstrap_project(project)
    with (
        KedroSession.create(project, env="test") as session,
        pytest.raises(ConfigError, match="in memory during a run"),
    ):
        session.run(pipeline_names=["inference"], node_names=["inference.read_cohort"])


def test_a_pickle_with_code_is_refused_without_advice_to_run_it(tmp_path: Path):
    import pickle

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"x": eval}))
    with pytest.raises(Exception, match="which is never run") as caught:
        read_weights(path)
    assert "weights_only" not in str(caught.value)
