"""An error that is the input's fault ends the program as one line."""

import logging
import sys
from types import TracebackType

from octa_kedro.errors import machine_fault, user_error
from octa_kedro.messages.kedro_errors import kedro_words
from octa_kedro.messages.log_lines import visible

log = logging.getLogger(__name__)


def install_one_line_errors() -> None:
    """Show an OctaError that ends the program, or a fault of the machine, as one line; all else as before."""
    previous = sys.excepthook
    if getattr(previous, "one_line", False):
        return

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        line = one_line(error)
        if line is None:
            previous(kind, error, trace)
        else:
            log.debug("the error below was raised here", exc_info=(kind, error, trace))
            sys.stderr.write(f"\nERROR: {visible(' '.join(line.split()))}\n")

    show.one_line = True  # type: ignore[attr-defined]
    sys.excepthook = show


def one_line(error: BaseException) -> str | None:
    """The line for an error that the input, the machine or the use of the program is at fault for; None for others."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted (Ctrl-C) before a run began; nothing was changed"
    if (ours := user_error(error)) is not None:
        return str(ours)
    if (fault := machine_fault(error)) is not None:
        return fault.words
    if isinstance(error, BrokenPipeError):
        return "what read the output of this command has ended; finished results are kept, run again to go on"
    return kedro_words(error)
