"""What lies on the processed grid comes back to the raw scan's own voxels: step by step, and all steps together."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import read_nifti, write_nifti
from octa_kedro.io.volume import Laterality, PlaneStack, Volume
from octa_kedro.preprocessing.config import ENFACE, FLATTEN, LESION, VOLUME
from octa_kedro.preprocessing.eye import process_eye
from octa_kedro.preprocessing.placement_record import PLACEMENT_KEY, read_placement
from octa_kedro.preprocessing.recipes import conversions, processing
from octa_kedro.preprocessing.restore import _restore_volume, _WayBack, map_over_scan, restore_to_scan
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Stored
from tests.preprocessing.landmark import (
    SHAPES,
    TRANSFORMS,
    OneEye,
    TiltedEye,
    centroid,
    each_eye,
    each_step,
    moved,
    plane_of,
    process,
    process_with,
    record_of,
    settings,
)


@each_step
@each_eye
def test_a_landmark_comes_back_to_its_raw_voxel(eye: OneEye, step: str):
    made = process(eye.field_mm, eye.side, step)
    record = record_of(made)
    restored = restore_to_scan(made[VOLUME].item, record, plane_of(made))
    assert restored.array.shape == SHAPES[eye.field_mm]
    np.testing.assert_array_equal(restored.affine, eye.affine)
    off = np.abs(centroid(restored.array, restored.affine) - eye.landmark_mm)
    assert (off < record.grid.spacing / 2).all(), off


@each_step
@each_eye
def test_a_mask_comes_back_with_its_labels(eye: OneEye, step: str):
    made = process(eye.field_mm, eye.side, step)
    restored = restore_to_scan(made[LESION].item, record_of(made), plane_of(made), labels=True).array
    truth = eye.lesion("1").array
    assert restored.dtype == np.uint8
    assert set(np.unique(restored)) == {0, 1}
    dice = 2 * (restored & truth).sum() / (restored.sum() + truth.sum())
    assert dice > (0.8 if step == "resize coarser" else 0.9), dice  # there the ball is 4 voxels wide


@each_step
@each_eye
def test_an_en_face_map_comes_back_to_the_scans_raster(eye: OneEye, step: str):
    made = process(eye.field_mm, eye.side, step)
    record = record_of(made, ENFACE)
    restored = restore_to_scan(made[ENFACE].item, record, plane_of(made))
    assert restored.array.shape == (*SHAPES[eye.field_mm][:2], 1)
    assert restored.names == ("ILM_BM",)
    off = np.abs(centroid(restored.array, eye.affine) - eye.landmark_mm)[:2]
    assert (off < record.grid.spacing[:2] / 2).all(), off


def test_a_record_that_forgets_the_mirroring_is_refused():
    made = process(3.0, "OS", "resize finer")
    forgotten = record_of(made).model_copy(update={"mirrored": False})
    with pytest.raises(DataError, match="lies elsewhere than the processed image"):
        restore_to_scan(made[VOLUME].item, forgotten)


@each_eye
def test_a_mask_that_was_drawn_on_the_processed_file_comes_back(eye: OneEye, tmp_path: Path):
    made = process(eye.field_mm, eye.side, "rigid")
    write_nifti(tmp_path / "drawn.nii", made[LESION].item.array, made[LESION].item.affine)
    drawn = read_nifti(tmp_path / "drawn.nii")
    restored = restore_to_scan(Volume(*drawn, "mask"), record_of(made), labels=True)
    off = np.abs(centroid(restored.array, eye.affine) - eye.landmark_mm)
    assert (off < record_of(made).grid.spacing / 2).all(), off


def test_a_left_eye_that_was_not_mirrored_comes_back_as_it_is():
    eye = OneEye(3.0, "OS")
    config = settings("depth crop").model_copy(update={"mirror_left": False})
    made = process_eye(eye, "1", eye.surfaces("1"), config)
    restored = restore_to_scan(made[VOLUME].item, record_of(made))
    np.testing.assert_allclose(centroid(restored.array, eye.affine), eye.landmark_mm, atol=0.005)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("side", ["OD", "OS"])
def test_axis_by_axis_and_voxel_by_voxel_agree(labels: bool, side: Laterality):
    made = process(3.0, side, "translation")
    record, item = record_of(made), made[LESION if labels else VOLUME].item
    fast = restore_to_scan(item, record, labels=labels).array
    slow = _restore_volume(item.array, _WayBack(record, None), labels=labels)
    np.testing.assert_allclose(fast, slow, atol=1e-5)


@each_eye
def test_what_was_not_processed_is_zero_with_labels_and_without(eye: OneEye):
    made = process(eye.field_mm, eye.side, "flattened BM")
    record, plane = record_of(made), plane_of(made)
    ones = replace(made[VOLUME].item, array=np.ones(record.grid_shape, np.float32))
    covered = restore_to_scan(ones, record, plane, labels=True).array
    np.testing.assert_array_equal(restore_to_scan(ones, record, plane).array, covered)
    grid = record.grid
    voxels = np.prod(grid.spacing) * np.prod(grid.shape) / np.prod(np.diag(eye.affine)[:3])
    assert covered.sum() == pytest.approx(voxels, rel=0.05)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_way_back_is_exact_to_a_few_micrometres(name: str):
    made = process(3.0, "OD", name)
    record = record_of(made)
    inner = np.random.default_rng(0).uniform(4, np.array(record.grid_shape) - 5, (500, 3))
    there = record.transform.apply(inner @ record.grid.affine[:3, :3].T + record.grid.affine[:3, 3])
    voxels = (there - record.scan_affine[:3, 3]) / np.diag(record.scan_affine)[:3]
    back = _WayBack(record, None)(*voxels.T).T
    assert (np.abs(back - inner) * record.grid.spacing).max() < (0.003 if name == "bspline" else 1e-9)  # mm


@each_eye
def test_it_lies_over_the_converted_scan_by_header_alone(eye: OneEye, tmp_path: Path):
    made = process(eye.field_mm, eye.side, "flattened BM")
    scan = conversions(eye, ["1"], ["OCTA"])["1-OCTA"].make(["volume"])["volume"].item
    write_nifti(tmp_path / "scan.nii", scan.array, scan.affine)
    restored = restore_to_scan(made[VOLUME].item, record_of(made), plane_of(made))
    write_nifti(tmp_path / "map.nii.gz", restored.array, restored.affine)
    (raw, raw_affine), (heat, heat_affine) = (read_nifti(tmp_path / name) for name in ("scan.nii", "map.nii.gz"))
    np.testing.assert_array_equal(heat_affine, raw_affine)
    assert heat.shape == raw.shape
    off = np.abs(centroid(heat, heat_affine) - centroid(raw, raw_affine))
    assert (off < record_of(made).grid.spacing / 2).all()


def stored_parts(eye: OneEye, folder: Path) -> dict[str, Stored]:
    """What is made of the eye, flattened, written and read again."""
    source = {"1": _Surfaces(eye)}
    table = pd.DataFrame({"subject": ["1"], "field_of_view_mm": [eye.field_mm]})
    recipes = processing(eye, table, source, {}, settings("flattened BM"))  # type: ignore[arg-type]
    store, one = Store(folder), ExecutionConfig(workers=1)
    entries = {part: store.put_all(Job(recipes, part, one), part) for part in (VOLUME, FLATTEN, ENFACE)}
    return {part: store.open_all(entry)["1"] for part, entry in entries.items()}


@dataclass
class _Surfaces:
    eye: OneEye
    sha256: str = "surfaces"
    meta: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> PlaneStack:
        return self.eye.surfaces("1")


def test_stored_results_find_their_way_back(tmp_path: Path):
    eye = OneEye(3.0, "OS")
    parts = stored_parts(eye, tmp_path)
    over = map_over_scan(parts[VOLUME], parts[VOLUME], parts[FLATTEN])
    spacing = read_placement(parts[VOLUME]).grid.spacing
    assert (np.abs(centroid(over.array, over.affine) - eye.landmark_mm) < spacing / 2).all()
    flat = map_over_scan(parts[ENFACE], parts[ENFACE], parts[FLATTEN])
    assert isinstance(flat, PlaneStack)


@pytest.mark.parametrize("step", ["lateral crop", "rigid"])
@each_eye
def test_a_scan_whose_file_has_tilted_axes_keeps_its_place(eye: OneEye, step: str):
    tilt = moved((10, -4, 6)).matrix
    tilted = TiltedEye(eye.field_mm, eye.side, tilt)
    made = process_with(tilted, step)
    there = (tilt @ [*eye.landmark_mm, 1])[:3]
    half = np.linalg.norm(record_of(made).grid.spacing) / 2
    assert np.linalg.norm(centroid(made[VOLUME].item.array, made[VOLUME].item.affine) - there) < half
    restored = restore_to_scan(made[VOLUME].item, record_of(made))
    np.testing.assert_allclose(restored.affine, tilt @ eye.affine)
    assert np.linalg.norm(centroid(restored.array, restored.affine) - there) < half


@pytest.mark.parametrize("part", [VOLUME, ENFACE])
def test_what_an_earlier_version_stored_comes_back_too(part: str, tmp_path: Path):
    eye = OneEye(3.0, "OS")
    parts = stored_parts(eye, tmp_path)
    image = parts[part]()
    write_nifti(tmp_path / "old.nii", image.array, image.grid_affine)
    meta = {k: v for k, v in parts[part].meta.items() if k not in ("grid_affine", "frame", "array_shape")}
    old = Stored(tmp_path / "old.nii", sha256_of(tmp_path / "old.nii"), meta)
    assert old().frame.mirrored is None
    assert old.grid()[0] == image.array.shape
    over = map_over_scan(old, old, parts[FLATTEN])
    np.testing.assert_allclose(over.array, map_over_scan(parts[part], parts[part], parts[FLATTEN]).array, atol=1e-4)
    assert (over.frame.note, over.frame.mirrored) == ("", False)


def test_an_image_stored_without_its_placement_is_refused(tmp_path: Path):
    parts = stored_parts(OneEye(3.0), tmp_path)
    old = replace(parts[VOLUME], meta={k: v for k, v in parts[VOLUME].meta.items() if k != PLACEMENT_KEY})
    with pytest.raises(DataError, match=r"\.nii: stored without where its eye was placed.*run data_processing again"):
        map_over_scan(parts[VOLUME], old)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda stack: None, "plane of the result `flattening` is needed"),
        (lambda stack: replace(stack, array=stack.array + np.float32(1e-3)), "is not what it was flattened by"),
    ],
)
def test_a_missing_or_another_plane_of_flattening_is_refused(change, words: str):
    made = process(3.0, "OD", "flattened BM")
    with pytest.raises(DataError, match=words):
        restore_to_scan(made[VOLUME].item, record_of(made), change(plane_of(made)))


def test_a_plane_of_flattening_for_an_eye_that_was_not_flattened_is_refused():
    made, other = process(3.0, "OD", "lateral crop"), process(3.0, "OD", "flattened BM")
    with pytest.raises(DataError, match="is not what it was flattened by"):
        restore_to_scan(made[VOLUME].item, record_of(made), plane_of(other))


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.with_array(item.array[:-1]),
        lambda item: item.with_array(item.array, item.affine + np.diag([0, 0, 0.001, 0])),
        lambda item: item.with_array(item.array, np.diag([-1.0, 1, 1, 1]) @ item.affine),
    ],
    ids=["cropped", "other spacing", "mirrored affine"],
)
def test_a_map_that_is_not_on_the_processed_grid_is_refused(change):
    made = process(3.0, "OD", "lateral crop")
    with pytest.raises(DataError, match="lies elsewhere than the processed image"):
        restore_to_scan(change(made[VOLUME].item), record_of(made))
