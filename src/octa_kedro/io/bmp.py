"""Reader of grey bitmaps: uncompressed ones directly from their bytes, all others through Pillow."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from octa_kedro.errors import DataError, machine_fault
from octa_kedro.io.boundary import REMEDY, reading

FILE_HEADER = struct.Struct("<2sIHHI")  # magic, file size, two reserved, offset of the pixels
INFO_HEADER = struct.Struct("<IiiHHIIiiII")  # BITMAPINFOHEADER
HEADER_BYTES = FILE_HEADER.size + INFO_HEADER.size
UNCOMPRESSED = 0
GREY_RAMP = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(256, 4)[:, :3]
PLAIN_BITS = {8: 1, 24: 3}  # bits of a pixel -> its channels
MAX_PIXELS = 1 << 26
"""More than any B-scan or en-face map has. A header that states more is damaged; its pixels would fill the memory."""


FORMATS = ("BMP", "DIB", "PNG", "TIFF", "JPEG", "GIF")
"""Formats that pictures named .bmp were found in. Pillow knows fifty, and starts other programs for some of them."""


class BitmapHeader(NamedTuple):
    """The header of a bitmap; `height` is positive, and `top_down` says whether the first stored row is the top one."""

    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    colours: int
    palette_offset: int
    pixel_offset: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one stored row, padded to a multiple of four."""
        return (self.width * self.bits + 31) // 32 * 4

    @property
    def end(self) -> int:
        """Bytes that the file must have at least, if it is uncompressed."""
        return self.pixel_offset + self.row_bytes * self.height


def bitmap_size(path: Path) -> tuple[int, int]:
    """(width, height) from the header; DataError if the file is unreadable or shorter than the header requires."""
    with _opening(path), path.open("rb") as file:
        header = parse_header(file.read(HEADER_BYTES))
        length = file.seek(0, io.SEEK_END)
    if header is None:
        with path.open("rb") as file:
            return _open(path, file).size
    _require_size(path, header.width, header.height)
    _require_whole(path, header, length)
    return header.width, header.height


def read_grey(path: Path) -> NDArray[np.uint8]:
    """One bitmap as rows x columns of grey levels; DataError if it is unreadable, in colour, or not of 8 bits.

    A colour bitmap with three equal channels is accepted, since some copies of OCTA-500 are stored as RGB.
    """
    pixels = _read_plain(path, data := _bytes_of(path))
    if pixels is None:
        image = _open(path, io.BytesIO(data))
        _require_levels(path, image)
        # The pixels of a palette image are indices, not grey levels.
        pixels = _decode(path, image, as_it_is=image.mode in {"L", "RGB"})
    if pixels.ndim == 3:
        if not (np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2])):
            raise DataError(f"{path}: a colour picture; B-scans and projection maps must be grey")
        pixels = pixels[..., 0]
    return pixels


def read_classes(path: Path) -> NDArray[np.uint8]:
    """One label picture as rows x columns of class numbers: palette indices if it has a palette, else grey levels."""
    image = _open(path, io.BytesIO(_bytes_of(path)))
    if image.mode == "1":
        return _decode(path, image, as_it_is=False)[..., 0]
    return _decode(path, image, as_it_is=True) if image.mode == "P" else read_grey(path)


def parse_header(data: bytes) -> BitmapHeader | None:
    """The header at the start of `data`; None if `data` is not a bitmap with a BITMAPINFOHEADER or a longer header."""
    if len(data) < HEADER_BYTES or data[:2] != b"BM":
        return None
    _, _, _, _, pixel_offset = FILE_HEADER.unpack_from(data)
    info, width, height, _, bits, compression, _, _, _, colours, _ = INFO_HEADER.unpack_from(data, FILE_HEADER.size)
    if info < INFO_HEADER.size or width <= 0 or height == 0:
        return None
    palette = FILE_HEADER.size + info
    return BitmapHeader(width, abs(height), height < 0, bits, compression, colours or 256, palette, pixel_offset)


def _read_plain(path: Path, data: bytes) -> NDArray[np.uint8] | None:
    """Pixels (rows, columns[, 3]) of an uncompressed bitmap with 8-bit grey or 24-bit colour; None for any other."""
    header = parse_header(data)
    if header is None or header.compression != UNCOMPRESSED or header.bits not in PLAIN_BITS:
        return None
    if header.bits == 8 and not _is_grey_ramp(data, header):
        return None
    _require_size(path, header.width, header.height)
    _require_whole(path, header, len(data))
    stored = np.frombuffer(data, np.uint8, header.row_bytes * header.height, header.pixel_offset)
    channels = PLAIN_BITS[header.bits]
    pixels = stored.reshape(header.height, header.row_bytes)[:, : header.width * channels]
    if not header.top_down:
        pixels = pixels[::-1]
    return pixels if channels == 1 else pixels.reshape(header.height, header.width, channels)


def _is_grey_ramp(data: bytes, header: BitmapHeader) -> bool:
    """Whether the palette holds all 256 grey levels in order, so that a palette index is its grey level."""
    if header.colours != len(GREY_RAMP) or len(data) < header.palette_offset + 4 * header.colours:
        return False
    palette = np.frombuffer(data, np.uint8, 4 * header.colours, header.palette_offset).reshape(-1, 4)
    return np.array_equal(palette[:, :3], GREY_RAMP)


def _require_levels(path: Path, image: Image.Image) -> None:
    """DataError for a picture without the grey levels of a scan, or that loses them: Pillow cuts 16 bits at 255."""
    with reading(path):
        opaque = image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)
    if not opaque and image.mode not in {"L", "RGB", "P"}:
        kind = {"1": "black and white (1 bit)"}.get(image.mode, f"of Pillow's mode {image.mode}")
        raise DataError(f"{path}: a picture {kind}; B-scans and projection maps have 8 bits of grey: save it as that")


def _require_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(f"{path}: its header states {width} x {height} pixels, more than any scan has; {REMEDY}")


def _require_whole(path: Path, header: BitmapHeader, length: int) -> None:
    if header.compression == UNCOMPRESSED and length < header.end:
        raise DataError(
            f"{path}: truncated bitmap: {length} bytes, but {header.width} x {header.height} pixels of "
            f"{header.bits} bits need {header.end}; {REMEDY}"
        )


def _bytes_of(path: Path) -> bytes:
    with _opening(path):
        return path.read_bytes()


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """DataError for a file that is not there or cannot be read, unless the machine is at fault."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        if machine_fault(error) is not None:
            raise
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _open(path: Path, file: IO[bytes]) -> Image.Image:
    try:
        with catch_warnings():
            simplefilter("error", UserWarning)  # Pillow goes on at damaged tags and skips them
            simplefilter("ignore", Image.DecompressionBombWarning)  # `_require_size` is stricter
            image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {error}; {REMEDY}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, struct.error, UserWarning) as error:
        raise DataError(f"{path}: not a readable bitmap; {REMEDY}") from error
    _require_size(path, *image.size)
    return image


def _decode(path: Path, image: Image.Image, *, as_it_is: bool) -> NDArray[np.uint8]:
    """Pixels (rows, columns[, channels]) of an opened picture, in colour unless it is to stay as it is."""
    with reading(path), catch_warnings():
        simplefilter("error", UserWarning)
        return np.asarray(image if as_it_is else image.convert("RGB"))
