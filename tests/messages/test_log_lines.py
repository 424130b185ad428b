"""Lines of the log, whatever they repeat."""

import io
import logging

from octa_kedro.messages.log_lines import LineFormatter, install_visible_lines, visible


def test_a_log_line_neither_steers_a_terminal_nor_begins_another():
    record = logging.LogRecord("x", logging.INFO, "", 1, "eye %s", ("a\x1b[31m\r\n12:00 ERROR \u202eb\u200b",), None)
    assert LineFormatter("%(levelname)s %(message)s").format(record) == (
        "INFO eye a\\x1b[31m\\r\n    12:00 ERROR \\u202eb\\u200b"
    )
    assert visible("M\u00fcller \u00b5m") == "M\u00fcller \u00b5m"


def test_the_form_of_log_lines_stays(monkeypatch):
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    install_visible_lines()
    logging.getLogger("octa_kedro").warning("a\x1bb")
    assert handler.stream.getvalue() == "WARNING: a\\x1bb\n"
