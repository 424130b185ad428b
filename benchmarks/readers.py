"""What reading a file of a device costs: seconds, and memory in volumes beyond nothing.

    OMP_NUM_THREADS=1 python benchmarks/readers.py --work /tmp/readers [--repeats 5]

The files are written once: Heidelberg `.vol` of structure and of angiography (512 x 256 x 496), a Zeiss `.img` cube
(512 x 128 x 1024) and DICOM files (512 x 256 x 496; one of them inverted, MONOCHROME1), all in the cache of the file
system. Seconds are the median of the repeats. The peak is what Python and NumPy allocate while a volume is read
(tracemalloc), that volume included. To compare two versions of the code, run this file twice with another PYTHONPATH.
"""

import argparse
import statistics
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

from octa_kedro.io.vendor import VendorFolder

VOL_SHAPE, IMG_SHAPE = (256, 496, 512), (128, 1024, 512)  # B-scan, depth, A-scan
SPACING = (0.0115, 0.0115, 0.0039)
HEADER = struct.Struct("<12siiidddiiddid4sqii")
BSCAN_HEADER = struct.Struct("<12siddddii")


def write_vol(path: Path) -> None:
    """A raster of equal B-scans without segmentation."""
    n, depth, width = VOL_SHAPE
    bscan = np.random.default_rng(0).random((depth, width)).astype("<f4") ** 4
    header = HEADER.pack(
        b"HSF-OCT-103", width, n, depth, *SPACING, 1, 1, 0.01, 0.01, 30, 0.0, b"OD", 0, 3, BSCAN_HEADER.size
    )
    with path.open("wb") as file:
        file.write(header.ljust(2048, b"\0") + b"\0")
        for number in range(n):
            y = 7 - number * SPACING[1]
            place = (1.0, y, 1.0 + width * SPACING[0], y)
            file.write(BSCAN_HEADER.pack(b"HSF-BS-103", BSCAN_HEADER.size, *place, 0, BSCAN_HEADER.size))
            file.write(bscan.tobytes())


def write_img(path: Path) -> None:
    """A cube of random grey levels."""
    path.write_bytes(np.random.default_rng(0).integers(0, 256, IMG_SHAPE, dtype=np.uint8).tobytes())


def write_dicom(path: Path) -> None:
    """Frames of random grey levels, each with its place on the fundus picture."""
    n, depth, width = VOL_SHAPE
    data, shared, measures = Dataset(), Dataset(), Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = pydicom.uid.OphthalmicTomographyImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.NumberOfFrames, data.Rows, data.Columns, data.SamplesPerPixel = n, depth, width, 1
    data.PhotometricInterpretation = "MONOCHROME1" if "inverted" in path.name else "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = np.random.default_rng(0).integers(0, 256, VOL_SHAPE, dtype=np.uint8).tobytes()
    measures.PixelSpacing, measures.SpacingBetweenSlices = [SPACING[2], SPACING[0]], SPACING[1]
    shared.PixelMeasuresSequence, data.SharedFunctionalGroupsSequence = [measures], [shared]
    frames = [(Dataset(), Dataset()) for _ in range(n)]
    for number, (frame, place) in enumerate(frames):
        place.ReferenceCoordinates = [900.0 - number, 100.0, 900.0 - number, 100.0 + width]
        frame.OphthalmicFrameLocationSequence = [place]
    data.PerFrameFunctionalGroupsSequence = [frame for frame, _ in frames]
    data.save_as(path, enforce_file_format=True)


FILES = (
    ("eye.dcm", "OCT", write_dicom),
    ("eye_inverted.dcm", "OCT", write_dicom),
    ("eye.vol", "OCT", write_vol),
    ("eye_Angio.vol", "OCTA", write_vol),
    ("P1_Macular Cube 512x128_1-2-2020_3-4-5_OD_sn1_cube_z.img", "OCT", write_img),
)


def measure(path: Path, modality: str, repeats: int) -> str:
    """Median seconds of a reading, and the peak of memory in volumes."""
    seconds = []
    for _ in range(repeats):
        path.touch()  # or the scan that was read last is taken
        begin = time.perf_counter()
        VendorFolder(path).volume(path.stem, modality)
        seconds.append(time.perf_counter() - begin)
    path.touch()
    tracemalloc.start()
    volume = VendorFolder(path).volume(path.stem, modality)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = volume.array.nbytes
    return f"{statistics.median(seconds):6.2f} s  {size / 1e6:5.0f} MB  peak {peak / size:.2f} volumes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name, modality, write in FILES:
        path = options.work / name
        if not path.exists():
            write(path)
        print(f"{name[:32]:34}{modality:6}{measure(path, modality, options.repeats)}", flush=True)


if __name__ == "__main__":
    main()
