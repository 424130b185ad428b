"""An error that is the input's fault ends the program as one line."""

import logging
import sys
from types import TracebackType

from octa_kedro.errors import machine_fault, user_error
from octa_kedro.log_lines import visible

log = logging.getLogger(__name__)


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
            sys.stderr.write(f"\nERROR: {visible(' '.join(line.split()))}\n")

    show.one_line = True  # type: ignore[attr-defined]
    sys.excepthook = show
