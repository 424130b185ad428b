"""What happens round every run: parameters are checked before anything is computed, and an error that is the
input's fault is shown as one line."""

import logging
import sys
from pathlib import Path
from types import TracebackType

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from omegaconf import OmegaConf

from octa_kedro.data_root import data_roots, use_data_roots
from octa_kedro.errors import OctaError
from octa_kedro.parameters import check_parameters
from octa_kedro.structure import parse_structure, use_structure

log = logging.getLogger(__name__)


class ProjectHooks:
    """The project's Kedro hooks."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Take structure and data root from the run's environment and refuse parameters that nothing reads."""
        install_one_line_errors()
        structure = parse_structure(context.config_loader["globals"])
        if use_structure(structure):
            pipelines.configure("octa_kedro.pipeline_registry")
        parameters = context.config_loader["parameters"]
        check_parameters(parameters, structure, base_models(Path(context.config_loader.conf_source)))
        use_data_roots(data_roots(context.env, parameters))


def base_models(conf: Path) -> list[str]:
    """Models of the base environment's structure."""
    return list(OmegaConf.to_container(OmegaConf.load(conf / "base" / "structure.yml"))["models"])  # type: ignore[index, call-overload]


def install_one_line_errors() -> None:
    """Show an OctaError that ends the program as one line, and every other exception as before."""
    previous = sys.excepthook
    if getattr(previous, "one_line", False):
        return

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        ours = find_user_error(error)
        if ours is None:
            previous(kind, error, trace)
        else:
            log.debug("the error below was raised here", exc_info=(kind, error, trace))
            sys.stderr.write(f"\nERROR: {' '.join(str(ours).split())}\n")

    show.one_line = True  # type: ignore[attr-defined]
    sys.excepthook = show


def find_user_error(error: BaseException | None) -> BaseException | None:
    """The OctaError that led to `error`, if one did: Kedro wraps what a dataset raises."""
    while error is not None:
        if isinstance(error, OctaError):
            return error
        error = error.__cause__ or error.__context__
    return None
