"""Words about files that are being read: those of other libraries are not shown, since they may repeat what a file says
of a patient; our own are shown with the names that results have.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from octa_kedro.messages.words import first_words

Hide = Callable[[str], str]
OWN = "octa_kedro"
NOT_SHOWN = "what {} says of a file is not shown, since it may hold data of a patient"
QUOTED = re.compile(r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*\"""")

_hiding: ContextVar[Hide | None] = ContextVar("octa_kedro_hiding", default=None)


@contextmanager
def hushed(hide: Hide) -> Iterator[None]:
    """While files are read: `hide` is applied to log lines of this package, those of other libraries lose their words,
    and Python's warnings, which only other libraries give, are not shown."""
    _watch_records()
    token = _hiding.set(hide)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _hiding.reset(token)


def unquoted(error: BaseException) -> str:
    """What the error of a library says of a file (`first_words`), without what it quotes of its content."""
    return QUOTED.sub("...", first_words(error))


def _watch_records() -> None:
    """Have every log record made by a factory that hides; there is no other place that all records pass, whichever
    logger, handler or process they belong to."""
    before = logging.getLogRecordFactory()
    if getattr(before, "hides", False):
        return

    def make(*args: Any, **options: Any) -> logging.LogRecord:
        record = before(*args, **options)
        if (hide := _hiding.get()) is not None:
            if record.name.partition(".")[0] == OWN:
                record.msg, record.args = hide(record.getMessage()), ()
            else:
                record.msg, record.args, record.exc_info = NOT_SHOWN.format(record.name), (), None
        return record

    make.hides = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make)
