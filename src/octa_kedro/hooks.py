"""What happens round every run: parameters are checked before anything is computed, and an error that is the
input's fault is shown as one line."""

import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from kedro.config import AbstractConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from omegaconf import OmegaConf

from octa_kedro.data_root import cohort_root, data_roots, inference_root, use_data_roots
from octa_kedro.errors import ConfigError, machine_fault, user_error
from octa_kedro.parameters import check_parameters
from octa_kedro.run_parameters import ParametersFile, parameters_file, require_one_place
from octa_kedro.structure import AUTO, Structure, drawn_folds, parse_structure, settle_folds, use_structure
from octa_kedro.upkeep import look_after

log = logging.getLogger(__name__)


class ProjectHooks:
    """The project's Kedro hooks."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Take structure and data root from the run's environment and refuse parameters that nothing reads."""
        install_one_line_errors()
        require_one_place()
        loader = context.config_loader
        file = parameters_file(loader.runtime_params)
        if file is not None:
            loader.runtime_params = file.joined
        drawn = drawn_folds(loader.runtime_params)
        structure = parse_structure(loader["globals"], drawn)
        build_from(structure)
        check(loader, structure, file)
        use_data_roots(data_roots(context.env, loader["parameters"]))
        if loader["globals"].get("folds") == AUTO:
            place = context.project_path / loader["catalog"]["source"]["filepath"]
            build_from(settle_folds(structure, place, drawn))

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Look after the folders that the run will write to."""
        for root in {cohort_root(), inference_root()}:
            look_after(Path(run_params["project_path"]) / root, run_params["run_id"])


def build_from(structure: Structure) -> None:
    """Have pipelines built from `structure`, anew if it differs from the last one."""
    if use_structure(structure):
        pipelines.configure("octa_kedro.pipeline_registry")


def check(loader: AbstractConfigLoader, structure: Structure, file: ParametersFile | None) -> None:
    """`check_parameters`, naming the file of parameters if what is wrong stands there."""
    models = base_models(Path(loader.conf_source))
    try:
        check_parameters(loader["parameters"], structure, models)
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


def base_models(conf: Path) -> list[str]:
    """Models of the base environment's structure."""
    return list(OmegaConf.to_container(OmegaConf.load(conf / "base" / "structure.yml"))["models"])  # type: ignore[index, call-overload]


def install_one_line_errors() -> None:
    """Show an OctaError that ends the program, or a fault of the machine, as one line; all else as before."""
    previous = sys.excepthook
    if getattr(previous, "one_line", False):
        return

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        ours, fault = user_error(error), machine_fault(error)
        if ours is None and fault is None:
            previous(kind, error, trace)
        else:
            log.debug("the error below was raised here", exc_info=(kind, error, trace))
            line = str(ours) if fault is None or ours is not None else fault.words
            sys.stderr.write(f"\nERROR: {' '.join(line.split())}\n")

    show.one_line = True  # type: ignore[attr-defined]
    sys.excepthook = show
