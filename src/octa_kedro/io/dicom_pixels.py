"""Decodes the stored numbers of a DICOM file's pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import kind_of, reading
from octa_kedro.io.dicom_bounds import require_boxes


def decode(path: Path, data: Any) -> NDArray:
    """The stored numbers ``[frame, row, column]``; colours only if they are grey. DataError says why not."""
    from pydicom.pixels import pixel_array  # noqa: PLC0415

    syntax = data.file_meta.TransferSyntaxUID
    samples = int(data.get("SamplesPerPixel") or 1)
    n, rows, columns = int(data.NumberOfFrames), int(data.Rows), int(data.Columns)
    if not syntax.is_compressed or syntax.is_deflated:
        needed = n * rows * columns * samples * (int(data.BitsAllocated) // 8)
        if not needed <= (found := len(data.PixelData)) <= needed + 1:
            what = "truncated" if found < needed else "more pixels than it states"
            raise DataError(f"{path}: {what}: {found} bytes of pixels, its header requires {needed}; copy it again")
    _require_stated_bits(path, data, syntax)
    remedy = "it is damaged or obfuscated: export it without compression and without obfuscation"
    with reading(path, remedy, f"its pixels ({syntax.name}) cannot be decoded", kind_of):
        require_boxes(path, data)
        stored = np.asarray(pixel_array(data, raw=samples == 1))
    if samples > 1 and stored.ndim == 4:
        if any(not np.array_equal(stored[..., 0], stored[..., plane]) for plane in range(1, samples)):
            raise DataError(f"{path}: its pixels are colours, not grey values; export the grey volume")
        stored = stored[..., 0]
    if stored.shape != (n, rows, columns):
        raise DataError(f"{path}: {n} frames of {rows} x {columns} pixels expected, got pixels of {stored.shape}")
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def _require_stated_bits(path: Path, data: Any, syntax: Any) -> None:
    """DataError if uncompressed pixels use more bits than the header states: pydicom drops these without a word."""
    allocated, bits = int(data.BitsAllocated), int(data.BitsStored)
    if bits >= allocated or (syntax.is_compressed and not syntax.is_deflated):
        return
    signed = int(data.get("PixelRepresentation") or 0) == 1
    order = "<" if syntax.is_little_endian else ">"
    raw = np.frombuffer(data.PixelData, f"{order}{'i' if signed else 'u'}{allocated // 8}", offset=0)
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    if raw.min() < low or raw.max() >= high:
        raise DataError(
            f"{path}: its pixels reach from {raw.min()} to {raw.max()}, more than the {bits} bits that its header "
            "states; export it again"
        )


def require_decoder(path: Path, syntax: Any) -> None:
    """DataError if pixels of this transfer syntax cannot be decoded here."""
    from pydicom.pixels import get_decoder  # noqa: PLC0415

    try:
        decoder = get_decoder(syntax)
        missing = "" if decoder.is_available else "; ".join(decoder.missing_dependencies)
    except NotImplementedError:
        missing = "no decoder exists"
    if missing:
        raise DataError(
            f"{path}: its pixels are compressed ({syntax.name}) and no decoder is installed ({missing}); install one, "
            "or export it without compression"
        )
