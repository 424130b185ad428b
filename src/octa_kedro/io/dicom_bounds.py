"""What a DICOM file states about its size, before memory is taken for it."""

import mmap
import zlib
from pathlib import Path
from typing import Any

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import require_possible

GROUP_LENGTH_END = 144  # preamble, DICM, and the element that says how long the rest of the file's own header is
MOST_INFLATED = 1 << 32
MOST_FOLD = 20_000
"""How much smaller than its pixels a compressed volume may be; black frames of JPEG 2000 reach half of it."""
BLOCK = 1 << 20
JP2, CODESTREAM = b"\x00\x00\x00\x0cjP  ", b"jp2c"


class Mapped(mmap.mmap):
    """A mapped file that says where it is after a jump, as files do."""

    def seek(self, pos: int, whence: int = 0, /) -> int:  # type: ignore[override]
        """Jump; ValueError beyond the end."""
        super().seek(pos, whence)  # type: ignore[arg-type]
        return self.tell()


def require_possible_frames(path: Path, data: Any, n: int) -> None:
    """DataError if a header states more pixels than any scan has, or than its compressed pixels can hold."""
    rows, columns = int(data.Rows), int(data.Columns)
    require_possible(path, n * rows * columns)
    held = len(data.get("PixelData") or b"")  # none where only the header is read
    if held and n * rows * columns > MOST_FOLD * held:
        raise DataError(
            f"{path}: states {n} frames of {rows} x {columns} pixels, but holds {held} bytes; copy it again"
        )


def require_boxes(path: Path, data: Any) -> None:
    """DataError if a picture of JPEG 2000 has a box without length: pydicom 3.0 looks for the next one for ever."""
    from pydicom.encaps import generate_frames  # noqa: PLC0415
    from pydicom.uid import JPEG2000TransferSyntaxes  # noqa: PLC0415

    if data.file_meta.TransferSyntaxUID not in JPEG2000TransferSyntaxes:
        return
    for number, frame in enumerate(generate_frames(data.PixelData, number_of_frames=int(data.NumberOfFrames)), 1):
        at = len(JP2) + 4 if frame.startswith(JP2) else len(frame)
        while at < len(frame) and frame[at + 4 : at + 8] != CODESTREAM:
            length = int.from_bytes(frame[at : at + 4], "big")
            if length < 8:
                raise DataError(f"{path}: frame {number} is damaged (a box of {length} bytes); copy it again")
            at += length


def require_modest_deflation(path: Path, data: mmap.mmap) -> None:
    """DataError if a file of the deflated transfer syntax, which pydicom inflates as a whole, inflates to more bytes
    than any scan has."""
    from pydicom.filereader import read_file_meta_info  # noqa: PLC0415
    from pydicom.uid import DeflatedExplicitVRLittleEndian  # noqa: PLC0415

    header = read_file_meta_info(path)
    if header.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    stream, found = zlib.decompressobj(-zlib.MAX_WBITS), 0
    rest = data[GROUP_LENGTH_END + int(header.FileMetaInformationGroupLength) :]
    while rest and not stream.eof:
        found += len(stream.decompress(rest, BLOCK))
        rest = stream.unconsumed_tail
        if found > MOST_INFLATED:
            raise DataError(f"{path}: inflates to more than {MOST_INFLATED >> 30} GB; copy it again")
