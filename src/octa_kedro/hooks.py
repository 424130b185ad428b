"""What happens round every run: parameters are checked before anything is computed, the log begins with what was read,
and an error that is the input's fault is shown as one line."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import click
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import LOGGING, pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from octa_kedro.configuration.catalog_names import require_known_entries
from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.configuration.data_root import cohort_root, data_roots, external_root, inference_root, use_data_roots
from octa_kedro.configuration.given import Difference, differences, layers_of
from octa_kedro.configuration.noted import note_run
from octa_kedro.configuration.parameters import check_parameters, require_base
from octa_kedro.configuration.run_parameters import ParametersFile, parameters_file, require_one_place
from octa_kedro.configuration.source_path import settle_source
from octa_kedro.configuration.structure import (
    AUTO,
    Structure,
    drawn_folds,
    parse_structure,
    settle_folds,
    use_structure,
)
from octa_kedro.configuration.unread import require_known_parts, require_known_tags, unread_by
from octa_kedro.configuration.without_effect import without_effect
from octa_kedro.errors import ConfigError
from octa_kedro.messages.log_lines import install_visible_lines
from octa_kedro.messages.one_line_errors import install_one_line_errors
from octa_kedro.messages.words import first_words
from octa_kedro.running import living_runs
from octa_kedro.running.first_lines import first_lines
from octa_kedro.running.last_line import report_written
from octa_kedro.running.made_before import require_made, require_versions
from octa_kedro.running.run_versions import reads_of, settle_versions, writes_of
from octa_kedro.running.upkeep import look_after, require_folder

log = logging.getLogger(__name__)

TAKEN = (
    "what is there is taken as it is, also if parameters, code, eyes or splits have changed since; without this option "
    "a run makes anew what has changed, and nothing else"
)


class ProjectHooks:
    """The project's Kedro hooks."""

    _found: tuple[Difference, ...] = ()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Take structure and data root from the run's environment, refuse settings that nothing reads, and begin the
        log."""
        install_one_line_errors()
        loader = cast(ConfigLoader, context.config_loader)
        install_visible_lines()
        file = read_configuration(loader)
        drawn, raw = drawn_folds(loader.runtime_params), loader["globals"]
        structure = parse_structure(raw, drawn)
        build_from(structure)
        base = loader.layer(str(loader.base_env), "globals")["models"]
        base_parameters = loader.layer(str(loader.base_env), "parameters")
        require_base(loader.path(str(loader.base_env)), base_parameters, base)
        parameters, groups = check(loader, structure, file, base)
        found = differences(parameters, base_parameters, layers_of(loader, file))
        self._found = tuple(found)
        note_run(context.env, structure.source, found)
        place = context.project_path / settle_data(loader, context.env, parameters, found)
        if raw.get("folds") == AUTO:
            structure = settle_folds(structure, place, drawn)
            build_from(structure)
        else:
            loader["parameters"] = parameters
        for words in without_effect(structure, groups, base, place, found):
            log.warning("%s", words)
        require_known_entries(loader)
        command = click.get_current_context(silent=True)
        if command is not None and command.info_name == "run":
            require_known_parts(command.params, pipelines)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Refuse tags that no node has, versions that there are not, and inputs that were never made; warn of
        parameters and versions that are given to this run but not read; look after the folders that the run will write
        to; keep it apart from other runs."""
        require_known_tags(run_params.get("tags") or (), pipeline)
        load_versions = run_params.get("load_versions") or {}
        require_versions(catalog, load_versions)
        if run_params.get("only_missing_outputs"):
            log.warning("--only-missing-outputs: %s", TAKEN)
        else:
            require_made(pipeline, catalog, run_params.get("env"))
        for words in unread_by(pipeline, self._found, load_versions):
            log.warning("%s", words)
        project, version = Path(run_params["project_path"]), run_params["run_id"]
        require_folder(project / "data")
        for root in {cohort_root(), inference_root(), external_root()}:
            look_after(project / root, version, [run.version for run in living_runs.living(project)])
        reads = reads_of(pipeline, catalog, load_versions)
        living_runs.begin(project, version, reads, writes_of(pipeline, catalog))
        if not run_params.get("only_missing_outputs"):  # then Kedro asks which of a run's outputs are there already
            settle_versions(pipeline, catalog, version)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Note that the run has ended, and say which report to open, if it has written one."""
        living_runs.end()
        if (page := report_written(pipeline, catalog, Path(run_params["project_path"]))) is not None:
            log.info("open %s", page)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Note that the run has ended."""
        living_runs.end()


def read_configuration(loader: ConfigLoader) -> ParametersFile | None:
    """Refuse files that would not be read, begin the log as they say, and lay the file of ``--params parameters=FILE``,
    which is returned, over the environment's parameters."""
    require_one_place()
    loader.require_read()
    configure_logging(loader)
    file = parameters_file(loader.runtime_params)
    if file is not None:
        loader.runtime_params = file.joined
    return file


def settle_data(
    loader: ConfigLoader, environment: str | None, parameters: dict[str, Any], found: Sequence[Difference]
) -> str:
    """Settle where scans are read from and where results lie, and begin the log with it; the path of the scans."""
    settle_source(loader, found)
    roots = data_roots(environment, parameters)
    use_data_roots(roots)
    catalog = loader["catalog"]
    loader["catalog"] = catalog  # Kedro need not read it a second time
    for line in first_lines(loader, catalog["source"], roots.cohort, found):
        log.info("%s", line)
    return str(catalog["source"]["filepath"])


def build_from(structure: Structure) -> None:
    """Have pipelines built from `structure`, anew if it differs from the last one."""
    if use_structure(structure):
        pipelines.configure("octa_kedro.pipeline_registry")


def configure_logging(loader: ConfigLoader) -> None:
    """Lay the ``logging.yml`` of the configuration folders, if any, over ``conf/logging.yml``, which Kedro has read."""
    try:
        own = loader["logging"]
    except MissingConfigException:
        return
    try:
        LOGGING.configure({**LOGGING.data, **own})
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        cause = error.__cause__ or error
        raise ConfigError(f"logging.yml of the configuration folders: {first_words(cause)}; correct it") from error


def check(
    loader: ConfigLoader, structure: Structure, file: ParametersFile | None, models: Iterable[str]
) -> tuple[dict[str, Any], dict[str, BaseModel]]:
    """The run's parameters and their `check_parameters`, naming the file of parameters if what is wrong stands there.

    `models` are those of the base environment.
    """
    try:
        return (parameters := loader["parameters"]), check_parameters(parameters, structure, models)
    except ConfigError as error:
        if file is None:
            raise
        loader.runtime_params = file.beside
        try:
            check_parameters(loader["parameters"], structure, models)
        except ConfigError as without:
            if str(without) == str(error):
                raise error from None  # the file has no part in it
        raise ConfigError(f"{file.path}: {error}") from error
