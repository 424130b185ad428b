"""An error that is the input's fault ends the program as one line."""

import logging
import sys
from types import TracebackType

from octa_kedro.errors import OctaError

log = logging.getLogger(__name__)


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
