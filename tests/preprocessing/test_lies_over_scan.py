"""An image, a map and a mask of a processed eye lie over the raw scan by what the headers of the files say."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK
from numpy.typing import NDArray

from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.source import Source
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.vendor_scan import Reader, VendorScan
from octa_kedro.io.volume import Laterality
from octa_kedro.preprocessing.config import ENFACE, LESION, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.conversion import convert_scan
from octa_kedro.preprocessing.eye import make_reference, process_eye
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored, write_result
from tests.preprocessing.landmark import (
    RAW,
    STEPS,
    OneEye,
    centroid,
    each_eye,
    each_step,
    plane_of,
    process,
    record_of,
    settings,
)

SIDES: tuple[Laterality, ...] = ("OD", "OS")
MOST_BENT_MM = 0.04  # of landmark.bent


def write_raw(folder: Path, source: Source, subject: str = "1") -> Path:
    """The scan as `conversion` writes it."""
    result = convert_scan(source, subject, "OCTA", [])["volume"]
    write_result(folder / "raw.nii", result)
    return folder / "raw.nii"


def written(folder: Path, result: Result, name: str = "made") -> Path:
    write_result(folder / f"{name}.nii", result)
    return folder / f"{name}.nii"


def spot_mm(path: Path) -> NDArray[np.float64]:
    """Where a file says that its bright spot lies."""
    image = nib.load(path)
    return centroid(image.get_fdata(), image.affine)


def half_a_voxel(path: Path) -> NDArray[np.float64]:
    return nib.affines.voxel_sizes(nib.load(path).affine) / 2


@each_step
@each_eye
def test_a_landmark_of_the_image_and_of_the_mask_lies_where_the_raw_file_has_it(eye: OneEye, step: str, tmp_path: Path):
    made = process(eye.field_mm, eye.side, step)
    raw = spot_mm(write_raw(tmp_path, eye))
    for part in (VOLUME, LESION):
        path = written(tmp_path, made[part], part)
        allowed = half_a_voxel(path) + (MOST_BENT_MM if "bspline" in str(STEPS[step]) else 0)
        off = spot_mm(path) - raw
        off[2] += shift_at(made, eye)
        assert (np.abs(off) < allowed).all(), (part, off)


def shift_at(made: dict[str, Result], eye: OneEye) -> float:
    """What flattening moved the landmark's column up by, which no header can say; zero where none was done."""
    plane, record = plane_of(made), record_of(made)
    if plane is None:
        return 0.0
    x, y, *_ = np.linalg.inv(plane.affine) @ [*eye.landmark_mm, 1]
    return float(plane.array[round(x), round(y), 0]) * record.transform.matrix[2, 2]


@each_step
@each_eye
def test_a_landmark_of_the_en_face_map_lies_where_the_raw_file_has_it(eye: OneEye, step: str, tmp_path: Path):
    path = written(tmp_path, process(eye.field_mm, eye.side, step)[ENFACE])
    allowed = half_a_voxel(path) + (MOST_BENT_MM if "bspline" in str(STEPS[step]) else 0)
    off = np.abs(spot_mm(path) - spot_mm(write_raw(tmp_path, eye)))
    assert (off < allowed)[:2].all(), off


@each_eye
@each_step
def test_the_header_says_what_it_cannot_hold(eye: OneEye, step: str, tmp_path: Path):
    path = written(tmp_path, process(eye.field_mm, eye.side, step)[VOLUME])
    config = settings(step)
    left_out = [w for w, there in (
        ("flattening", config.flatten), ("bending", config.registration.method == "bspline"),
    ) if there]  # fmt: skip
    said = nib.load(path).header["descrip"].item().decode()
    assert said == (f"position without {' and '.join(left_out)}; restore_to_scan is exact" if left_out else "")


@pytest.mark.parametrize("side", SIDES)
def test_an_eye_that_is_not_to_be_mirrored_lies_right_too(side: Laterality, tmp_path: Path):
    eye = OneEye(3.0, side)
    config = settings("depth crop").model_copy(update={"mirror_left": False})
    path = written(tmp_path, process_eye(eye, "1", eye.surfaces("1"), config)[VOLUME])
    assert nib.aff2axcodes(nib.load(path).affine) == ("R", "A", "S")
    assert (np.abs(spot_mm(path) - eye.landmark_mm) < half_a_voxel(path)).all()


def test_a_left_eye_runs_backwards_in_the_file_and_looks_right_to_the_network(tmp_path: Path):
    left, right = process(3.0, "OS", "lateral crop")[VOLUME], process(3.0, "OD", "lateral crop")[VOLUME]
    assert nib.aff2axcodes(nib.load(written(tmp_path, left)).affine) == ("L", "A", "S")
    np.testing.assert_allclose(left.item.grid_affine, right.item.grid_affine)
    assert not np.allclose(left.item.array, right.item.array)  # the spot is off the middle
    said = write_result(tmp_path / "made.nii", left)
    stored = Stored(tmp_path / said["file"], said["sha256"], json.loads(json.dumps(said["meta"])))
    again = stored()
    np.testing.assert_array_equal(again.grid_affine, left.item.grid_affine)
    np.testing.assert_array_equal(again.affine, left.item.affine)
    np.testing.assert_allclose(nib.load(stored.path).affine, again.affine, atol=1e-6)
    assert again.frame.mirrored


BACKWARDS = [(), (0,), (1,), (2,), (0, 1), (0, 1, 2)]


def user_folder(folder: Path, side: Laterality, backwards: tuple[int, ...], unit: str) -> NiftiFolder:
    """A scan as a user has it: one spot, axes `backwards`, an origin somewhere, in millimetres or micrometres."""
    array = np.random.default_rng(0).integers(0, 3, (36, 30, 44)).astype(np.uint8)
    array[6:10, 12:15, 20:26] = 250
    affine = np.diag([0.08, 0.1, 0.05, 1.0])
    affine[:3, 3] = -11.3, 7.9, 4.4
    for axis in backwards:
        affine[axis, axis] *= -1
    affine[:3] *= {"mm": 1, "micron": 1000}[unit]
    for name, data in (("scan", array), ("mask", (array == 250).astype(np.uint8))):
        image = nib.Nifti1Image(data, affine)
        image.header.set_xyzt_units(unit)
        image.to_filename(folder / f"{name}.nii.gz")
    row = {"subject": "a", "path": "scan.nii.gz", "label": 1, "laterality": side, "lesion_path": "mask.nii.gz"}
    pd.DataFrame([row]).to_csv(folder / "subjects.csv", index=False)
    return NiftiFolder(folder)


def brightest_mm(path: Path) -> NDArray[np.float64]:
    """Where ITK, which knows units, says that a file's bright spot lies."""
    image = SimpleITK.ReadImage(path)
    array = SimpleITK.GetArrayFromImage(image)
    middle = np.argwhere(array > array.max() / 2).mean(axis=0)[::-1]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(middle.tolist()))


@pytest.mark.parametrize("unit", ["mm", "micron"])
@pytest.mark.parametrize("mirror_left", [True, False])
@pytest.mark.parametrize("backwards", BACKWARDS, ids=str)
@pytest.mark.parametrize("side", SIDES)
def test_a_users_file_with_axes_that_run_backwards(
    side: Laterality, backwards: tuple[int, ...], mirror_left: bool, unit: str, tmp_path: Path
):
    source = user_folder(tmp_path, side, backwards, unit)
    steps: dict[str, Any] = {
        "field_mm": (2.4, 2.2), "depth_mm": 1.8, "grid": (50, 40, 60), "slabs": (), "intensity": RAW,
        "mirror_left": mirror_left,
    }  # fmt: skip
    made = process_eye(source, "a", None, ProcessingConfig.model_validate(steps))
    raw = brightest_mm(tmp_path / "scan.nii.gz")
    for part in (VOLUME, LESION):
        path = written(tmp_path, made[part], part)
        assert (np.abs(brightest_mm(path) - raw) < half_a_voxel(path)).all(), part
    np.testing.assert_allclose(brightest_mm(write_raw(tmp_path, source, "a")), raw, atol=1e-4)


@pytest.mark.parametrize("flatten", [None, "BM"])
@pytest.mark.parametrize("side", SIDES)
def test_an_eye_in_a_vendors_file_lies_over_what_conversion_writes(
    side: Laterality, flatten: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    array = np.random.default_rng(0).integers(0, 3, (40, 30, 50)).astype(np.uint8)
    array[8:12, 14:17, 20:26] = 250
    depths = np.array([12.0, 22.0, 31.0], np.float32) * np.ones((40, 30, 1), np.float32)
    scan = VendorScan(array, (0.075, 0.1, 0.04), "OCTA", "flow", side, depths, ("ILM", "OPL_ONL", "BM"))
    reader = Reader(lambda _path, _modality: scan)
    monkeypatch.setattr("octa_kedro.io.vendor.READERS", {".vol": reader})
    (tmp_path / "a.vol").touch()
    source = VendorFolder(tmp_path)
    steps = {"field_mm": (2.4, 2.4), "depth_mm": 1.2, "grid": (50, 40, 60), "intensity": RAW, "flatten": flatten}
    made = process_eye(source, "a", source.surfaces("a"), ProcessingConfig.model_validate(steps | {"slabs": ()}))
    path = written(tmp_path, made[VOLUME])
    raw = brightest_mm(write_raw(tmp_path, source, "a"))
    assert (np.abs(brightest_mm(path) - raw) < half_a_voxel(path)).all()  # a flat surface needs no flattening


@pytest.mark.parametrize("method", ["none", "rigid"])
@pytest.mark.parametrize("side", SIDES)
def test_an_eye_of_a_release_is_resampled_onto_its_raw_scan_by_itk(
    release: Octa500Release, side: Laterality, method: str, tmp_path: Path
):
    """What ITK-SNAP does with two files: it knows nothing but their headers."""
    subject = next(s for s in release.subjects() if release.volume(s, "OCTA").laterality == side)
    config = ProcessingConfig.model_validate(
        {"field_mm": (2.4, 2.4), "depth_mm": 1.2, "grid": (60, 60, 90), "intensity": RAW,
         "registration": {"method": method}, "slabs": ()}
    )  # fmt: skip
    field_mm = release.check(subject, "OCTA")["field_of_view_mm"]
    other = next(
        s for s in release.subjects() if s != subject and release.check(s, "OCTA")["field_of_view_mm"] == field_mm
    )
    reference = None if method == "none" else make_reference(release, other, release.surfaces(other), config)
    made = process_eye(release, subject, release.surfaces(subject), config, reference)
    path = written(tmp_path, made[VOLUME])
    raw = SimpleITK.ReadImage(write_raw(tmp_path, release, subject), SimpleITK.sitkFloat32)
    over = SimpleITK.Resample(SimpleITK.ReadImage(path, SimpleITK.sitkFloat32), raw)
    there, scan = SimpleITK.GetArrayFromImage(over), SimpleITK.GetArrayFromImage(raw)
    seen = there > 0
    assert seen.sum() > 0.03 * seen.size
    assert np.corrcoef(there[seen], scan[seen])[0, 1] > 0.8
    assert np.corrcoef(there[seen], scan[..., ::-1][seen])[0, 1] < 0.7
