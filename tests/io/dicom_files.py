"""Writes DICOM files of ophthalmic tomography as pydicom stores them, for the tests of their reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

TOMOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.5.4"
ANALYSIS = "1.2.840.10008.5.1.4.1.1.77.1.5.8"
PIXEL = 0.01  # millimetres of a pixel of the fundus picture
SHOWN = np.random.default_rng(0).integers(0, 256, (6, 9, 12)).astype(np.uint8)  # [x, y, z]
LOCATION = "OphthalmicFrameLocationSequence"


@dataclass
class DicomEye:
    """A file whose reader has to return `shown` ``[x, y, z]``, which here are the stored numbers themselves.

    `order` says which B-scan each frame of the file holds. Vertical B-scans are planes of x. `places` is `fundus`,
    `patient` or empty. `change` may alter the data set before it is written.
    """

    shown: NDArray = field(default_factory=SHOWN.copy)
    spacing: tuple[float, float, float] = (0.011, 0.03, 0.004)
    kind: str = TOMOGRAPHY
    vertical: bool = False
    turned: bool = False
    order: Sequence[int] | None = None
    places: str = "fundus"
    per_frame: bool = False
    between: str = "SpacingBetweenSlices"
    bits: int = 8
    syntax: uid.UID = uid.ExplicitVRLittleEndian
    elements: dict[str, Any] = field(default_factory=dict)
    change: Callable[[Dataset], None] | None = None

    def write(self, path: Path) -> Path:
        """Writes the file and returns its path."""
        data = self.data()
        if self.change:
            self.change(data)
        if self.syntax == uid.RLELossless:
            data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
            data.compress(uid.RLELossless, generate_instance_uid=False)
        data.save_as(path, enforce_file_format=True)
        return path

    def data(self) -> Dataset:
        """The data set as it is written."""
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = self.syntax
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = self.kind
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
        frames = self._frames()
        data.NumberOfFrames, data.Rows, data.Columns = frames.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.PixelRepresentation = int(frames.dtype.kind == "i")
        data.BitsAllocated, data.BitsStored, data.HighBit = 8 * frames.itemsize, self.bits, self.bits - 1
        data.ImageLaterality = "R"
        stored = frames.astype(frames.dtype.newbyteorder("<" if self.syntax.is_little_endian else ">"))
        data.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
        data["PixelData"].VR = "OB" if frames.itemsize == 1 else "OW"
        data.PerFrameFunctionalGroupsSequence = [self._frame(number) for number in self._order()]
        shared = Dataset()
        if not self.per_frame:
            shared.PixelMeasuresSequence = [self._measures()]
        if self.places == "patient":
            turn = Dataset()
            sense = -1 if self.turned else 1
            turn.ImageOrientationPatient = [*([0, 0, sense] if self.vertical else [sense, 0, 0]), 0, 1, 0]
            shared.PlaneOrientationSequence = [turn]
            data.FrameOfReferenceUID = "1.2.5"
        data.SharedFunctionalGroupsSequence = [shared]
        for name, value in self.elements.items():
            setattr(data, name, value)
        return data

    def _order(self) -> list[int]:
        return list(range(self.shown.shape[0 if self.vertical else 1]) if self.order is None else self.order)

    def _frames(self) -> NDArray:
        """``[frame, depth, column]`` in the file's order."""
        frames = self.shown.transpose((0, 2, 1) if self.vertical else (1, 2, 0))[self._order()]
        return np.ascontiguousarray(frames[..., ::-1] if self.turned else frames)

    def _measures(self) -> Dataset:
        along, between = self.spacing[:2][:: -1 if self.vertical else 1]
        measures = Dataset()
        measures.PixelSpacing = [self.spacing[2], along]
        setattr(measures, self.between, between)
        return measures

    def _frame(self, number: int) -> Dataset:
        frame = Dataset()
        if self.per_frame:
            frame.PixelMeasuresSequence = [self._measures()]
        along, between = self.spacing[:2][:: -1 if self.vertical else 1]
        place = Dataset()
        if self.places == "fundus":
            length = self.shown.shape[1 if self.vertical else 0] * along / PIXEL
            offset = number * between / PIXEL
            start = (500.0, 100.0 + offset) if self.vertical else (500.0 - offset, 100.0)
            end = (500.0 - length, start[1]) if self.vertical else (start[0], 100.0 + length)
            place.ReferenceCoordinates = [*end, *start] if self.turned else [*start, *end]
            frame.OphthalmicFrameLocationSequence = [place]
        elif self.places == "patient":
            place.ImagePositionPatient = [number * between, 0, 0] if self.vertical else [0, 0, number * between]
            frame.PlanePositionSequence = [place]
        return frame


def item(**elements: Any) -> Dataset:
    """A data set of these elements."""
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made
