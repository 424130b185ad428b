"""DICOM files whose frames are compressed pictures."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.io.dicom_files import SHOWN, DicomEye

SYNTAX = {"JPEG": uid.JPEGBaseline8Bit, "JPEG2000": uid.JPEG2000Lossless}


def save_encapsulated(path: Path, kind: str) -> None:
    """The eye of `DicomEye`, its frames as pictures of Pillow's format `kind`."""

    def change(data: Dataset) -> None:
        frames = []
        for number in range(SHOWN.shape[1]):
            picture = Image.fromarray(np.ascontiguousarray(SHOWN[:, number].T))
            picture.save(file := io.BytesIO(), kind)
            frames.append(file.getvalue())
        data.PixelData = encapsulate(frames)
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
        data.file_meta.TransferSyntaxUID = SYNTAX[kind]

    DicomEye(change=change).write(path)
