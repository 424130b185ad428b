"""Faults of images and masks that a researcher hands in, as NIfTI files."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.faults.harness import EARLIER, PROCESS, Fault, table
from tests.faults.judge import Bench
from tests.faults.making import content, cut, flipped, header, image, mask
from tests.faults.projects import lesion
from tests.faults.test_input import given

GROUP = "input"


def colours(array: np.ndarray) -> np.ndarray:
    return np.repeat(array[..., None], 3, axis=3).view([(c, "u1") for c in "RGB"])[..., 0]


def with_nan(array: np.ndarray) -> np.ndarray:
    array = array.astype(np.float32)
    array[3, 3, 3] = np.nan
    return array


def in_micrometres(image):
    image.set_sform(np.diag([250.0, 214.0, 125.0, 1.0]), 1)
    image.set_qform(np.diag([250.0, 214.0, 125.0, 1.0]), 1)


def no_spacing(project: Path) -> None:
    file = project / "eyes/e3.nii.gz"
    data = bytearray(gzip.decompress(file.read_bytes()))
    data[84:88] = bytes(4)  # pixdim[2]
    data[252:256] = bytes(4)  # the codes of the two forms
    file.write_bytes(gzip.compress(bytes(data)))


def not_compressed(project: Path) -> None:
    file = project / "eyes/e3.nii.gz"
    file.write_bytes(gzip.decompress(file.read_bytes()))


def disagreeing(image):
    image.set_sform(np.diag([0.25, 0.21, 0.125, 1.0]), 1)
    image.set_qform(np.diag([0.50, 0.21, 0.125, 1.0]), 1)


def tilted(image):
    affine, (c, s) = image.affine.copy(), (np.cos(0.3), np.sin(0.3))
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ affine[:3, :3]
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)


# fmt: off
IMAGES = [
    Fault("an image is an empty file", content("eyes/e3.nii.gz", b""),
          "e3.nii.gz: not a readable NIfTI file (it is empty); replace it or leave it out"),
    Fault("an image is cut short", cut("eyes/e3.nii.gz"),
          "subject e3: ... e3.nii.gz: not a readable NIfTI file (Compressed file ended ... replace it", leaves=EARLIER),
    Fault("one bit of a compressed image is flipped", flipped("eyes/e3.nii.gz"),
          "subject e3: ... e3.nii.gz: not a readable NIfTI file ( ... replace it or leave", leaves=EARLIER, quick=True),
    Fault("an image is the error page of a web server", content("eyes/e3.nii.gz", "<html>404 Not Found</html>"),
          "e3.nii.gz: is not compressed, as its name says; let its name end with .nii"),
    Fault("an image is not compressed, though its name says so", not_compressed,
          "e3.nii.gz: is not compressed, as its name says; if it is a NIfTI file, let its name end with .nii"),
    Fault("an image lies there that the table does not name", header(3, lambda i: None, "plain.nii"), "plain.nii",
          ends="told", shown="nifti_folder/05_model_input/eye_flow.csv/*/eye_flow.csv"),
    Fault("an image holds four volumes", image(3, lambda a: np.repeat(a[..., None], 4, axis=3)),
          "e3.nii.gz: a volume has 3 axes (x, y, z), this file has shape ... keep one volume"),
    Fault("an image is in colours", header(3, lambda i: type(i)(colours(np.asarray(i.dataobj)), i.affine)),
          "e3.nii.gz: a volume holds one grey value a voxel, this file holds colours; convert it"),
    Fault("an image holds NaN", image(3, with_nan),
          "subject e3: ... e3.nii.gz: holds NaN or infinite values; replace the volume", leaves=EARLIER),
    Fault("an image is black", image(3, lambda a: a * 0),
          "subject e3: ... e3.nii.gz: every voxel is 0, so it shows nothing; replace it", leaves=EARLIER),
    Fault("an image has one grey level", image(3, lambda a: a * 0 + 7),
          "subject e3: ... e3.nii.gz: every voxel is 7, so it shows nothing; replace it", leaves=EARLIER),
    Fault("an image has one B-scan", image(3, lambda a: a[:, :1]),
          "e3.nii.gz: along y it measures 3 mm (1 voxels of 3 mm) ... correct the spacing"),
    Fault("micrometres are labelled millimetres", header(3, in_micrometres),
          "e3.nii.gz: along x it measures 3000 mm ... micrometres labelled millimetres; correct", quick=True),
    Fault("a spacing is zero", no_spacing, "e3.nii.gz: "),
    Fault("the two forms of a header disagree", header(3, disagreeing),
          "e3.nii.gz: its header states different spacings in millimetres ... correct the wrong one"),
    Fault("an image is tilted", header(3, tilted), "e3.nii.gz: "),
    Fault("a lesion mask has another shape", mask(3, lesion()[:-2]),
          "subject e3: ... m3.nii.gz: mask of shape (10, 14, 16), but the scan of e3 has (12, 14, 16)", leaves=EARLIER),
    Fault("a lesion mask lies elsewhere", mask(3, lesion(), 1.0),
          "subject e3: ... m3.nii.gz: mask that its header lays ... write the affine of the scan", leaves=EARLIER),
    Fault("a lesion mask holds fractions", mask(3, lesion() * np.float32(0.5)),
          "subject e3: ... m3.nii.gz: mask with values between whole numbers, such as 0.5; write 1", leaves=EARLIER),
]
# fmt: on
QUARANTINE = [
    Fault(
        f"with quarantine, {fault.name}",
        fault.make,
        fault.says.split(" ... ")[1],
        given("execution.on_error=quarantine"),
        ends="told",
        shown="nifti_folder/05_model_input/eye_flow.csv/*/eye_flow.csv",
        again=PROCESS,
    )
    for fault in IMAGES
    if fault.name.startswith(("an image is cut", "one bit", "an image holds NaN", "a lesion mask has"))
]
FAULTS = [*IMAGES, *QUARANTINE]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_images(bench: Bench, fault: Fault):
    bench.judge(fault)
