"""Lines of the log and of errors, in which text of a user's files can neither begin a line nor steer a terminal."""

import logging
import re

UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Control characters (ANSI sequences begin with one), separators of lines, and marks of width and direction; not the
line break and the tab."""

BEHIND = "\n    "


def visible(words: str) -> str:
    """`words` with each character that cannot be seen as its number, such as ``\\x1b``."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), words)


class LineFormatter(logging.Formatter):
    """A formatter that makes messages `visible` and indents all their lines but the first."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - named by the standard library
        """The line of a record."""
        record.message = visible(record.message).rstrip("\n").replace("\n", BEHIND)
        return super().formatMessage(record)


def install_visible_lines() -> None:
    """Give the handlers of the root logger such formatters, of the same form; Kedro takes no formatter but its own and
    the standard library's from ``logging.yml``."""
    for handler in logging.getLogger().handlers:
        if type(form := handler.formatter) is logging.Formatter:
            handler.setFormatter(LineFormatter(form._fmt, form.datefmt))
