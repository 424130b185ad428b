"""Text files as people and their programs write them: which characters the bytes are. No heavy imports."""

import codecs
import logging
from pathlib import Path

from octa_kedro.errors import DataError, machine_fault
from octa_kedro.io.boundary import require_bytes
from octa_kedro.messages.words import first_words

log = logging.getLogger(__name__)

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
MOST_BYTES = 64 << 20

WINDOWS = "cp1252"
"""What Excel writes as CSV in western Europe; Latin-1 with some letters more."""

BINARY = {b"PK\x03\x04": "a workbook (.xlsx) or an archive", b"\xd0\xcf\x11\xe0": "an old workbook (.xls)"}


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16, with or without a byte order mark, or else in Windows-1252 (a warning).

    Ends of lines stay as they are. DataError if it is none of these, a workbook, no regular file, or
    has more bytes than any table of eyes.
    """
    require_bytes(path, MOST_BYTES, "a table or a list of eyes")
    try:
        data = path.read_bytes()
    except OSError as error:
        if machine_fault(error) is not None:
            raise
        raise DataError(f"{path}: cannot be read ({first_words(error)})") from error
    for start, what in BINARY.items():
        if data.startswith(start):
            raise DataError(f"{path}: cannot be read as text, it is {what}; correct its ending, or save it as CSV")
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = WINDOWS if encoding == "utf-8" else ""
        text = data.decode(WINDOWS, errors="replace") if encoding else "\0"
    if "\0" in text or (encoding == WINDOWS and "\ufffd" in text):
        raise DataError(f"{path}: cannot be read as text (neither UTF-8, UTF-16 nor Windows-1252); save it as UTF-8")
    if encoding == WINDOWS:
        log.warning("%s: is not UTF-8, so it is read as Windows-1252 (Latin-1); save it as UTF-8 to be sure", path)
    return text


def _encoding(data: bytes) -> str:
    marked = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), None)
    if marked:
        return marked
    # Text in western letters has a zero in every other byte of UTF-16, and none in UTF-8.
    half = len(data) // 2 * 0.5
    if half and data[1::2].count(0) > half:
        return "utf-16-le"
    return "utf-16-be" if half and data[0::2].count(0) > half else "utf-8"
