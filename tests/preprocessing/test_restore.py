"""What lies on the processed grid comes back to the raw scan's own voxels: step by step, and all steps together."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from octa_kedro.errors import DataError
from octa_kedro.io.nifti import read_nifti, write_nifti
from octa_kedro.io.source import Source
from octa_kedro.io.volume import Laterality, PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.config import ENFACE, FLATTEN, LESION, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.eye import make_reference, process_eye
from octa_kedro.preprocessing.placement_record import PLACEMENT_KEY, PlacementRecord, read_placement
from octa_kedro.preprocessing.recipes import conversions, processing
from octa_kedro.preprocessing.registration import Registered
from octa_kedro.preprocessing.restore import _restore_volume, _WayBack, covered_part, map_over_scan, restore_to_scan
from octa_kedro.preprocessing.transform import Displacement, Transform, translation
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Stored

SHAPES = {3.0: (40, 36, 64), 6.0: (60, 52, 64)}
LANDMARKS = {3.0: (13, 21, 31), 6.0: (24, 29, 31)}  # raw voxels, off the middle along x
RADII_MM = (0.5, 0.45, 0.12)
RAW = {"lower": 0.0, "upper": 100.0}
WHOLE: dict[str, Any] = {"field_mm": None, "depth_mm": None, "grid": (40, 36, 64)}
CROP: dict[str, Any] = {"field_mm": (2.4, 2.4), "depth_mm": 0.8, "grid": (34, 30, 56)}


def moved(degrees: tuple[float, float, float], scale: tuple[float, float, float] = (1, 1, 1)) -> Transform:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ np.diag(scale)
    matrix[:3, 3] = np.array([1.5, 1.5, 1]) - matrix[:3, :3] @ [1.5, 1.5, 1] + (0.1, 0.05, -0.04)
    return Transform(matrix)


def bent() -> Transform:
    shifts = np.random.default_rng(1).uniform(-0.04, 0.04, (8, 8, 6, 3))
    return Transform(moved((1, -2, 3)).matrix, Displacement(shifts, (0.0, 0.0, 0.0), (0.9, 0.9, 0.4)))


TRANSFORMS = {
    "translation": translation((0.11, -0.14, 0.06)),
    "rigid": moved((3, -2, 8)),
    "affine": moved((-2, 3, -5), (1.08, 0.96, 1.03)),
    "bspline": bent(),
}
STEPS: dict[str, dict[str, Any]] = {
    "lateral crop": WHOLE | {"field_mm": (2.4, 2.4)},
    "resize finer": WHOLE | {"grid": (70, 66, 90)},
    "resize coarser": WHOLE | {"grid": (26, 22, 50)},
    "depth crop": WHOLE | {"depth_mm": 0.8, "grid": (40, 36, 50)},
    "flattened ILM": CROP | {"flatten": "ILM"},
    "flattened BM": CROP | {"flatten": "BM"},
    "sampling": WHOLE | {"sampling_mm": 0.15},
    **{name: CROP | {"registration": {"method": name}} for name in TRANSFORMS},
    "all together": CROP | {"flatten": "BM", "sampling_mm": 0.15, "registration": {"method": "bspline"}},
}


@dataclass
class OneEye(Source):
    """A source with one eye: a bright ball at a landmark in the dark, and the same ball as a lesion mask."""

    field_mm: float
    side: Laterality = "OD"

    @property
    def affine(self) -> NDArray[np.float64]:
        return scan_affine(SHAPES[self.field_mm], (self.field_mm, self.field_mm, 2.0))

    @property
    def landmark_mm(self) -> NDArray[np.float64]:
        return self.affine[:3, :3] @ LANDMARKS[self.field_mm] + self.affine[:3, 3]

    def points(self) -> NDArray[np.float64]:
        return points_of(self.affine, SHAPES[self.field_mm])

    def distance(self) -> NDArray[np.float64]:
        return np.sqrt((((self.points() - self.landmark_mm) / RADII_MM) ** 2).sum(-1))

    def subjects(self) -> list[str]:
        return ["1"]

    def labels(self) -> pd.DataFrame:
        return pd.DataFrame({"subject": ["1"], "disease": ["NORMAL"]})

    def check(self, subject: str, modality: str) -> dict[str, float]:
        return {"field_of_view_mm": self.field_mm}

    def fingerprint(self, subject: str, *modalities: str) -> str:
        return f"{self.field_mm}{self.side}"

    def volume(self, subject: str, modality: str) -> Volume:
        ball = np.clip(200 * (1 - self.distance()), 0, None).astype(np.uint8)
        return Volume(ball, self.affine, modality, self.side, f"eye {subject}")

    def lesion(self, subject: str) -> Volume:
        return Volume((self.distance() < 1).astype(np.uint8), self.affine, "lesion", self.side, "lesion")

    def surfaces(self, subject: str) -> PlaneStack:
        x, y = np.moveaxis(self.points()[:, :, 0, :2], 2, 0)
        ilm = 0.8 + 0.07 * np.sin(1.5 * x) + 0.03 * y
        planes = np.stack([ilm, ilm + 0.15, ilm + 0.4 + 0.03 * np.cos(x)], axis=2).astype(np.float32)
        return PlaneStack(planes, self.affine, ("ILM", "OPL_ONL", "BM"), self.side, "surfaces")


EYES = [OneEye(field, side) for field in SHAPES for side in ("OD", "OS")]
each_eye = pytest.mark.parametrize("eye", EYES, ids=lambda e: f"{e.field_mm:g} mm {e.side}")
each_step = pytest.mark.parametrize("step", STEPS)


def points_of(affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) @ affine[:3, :3].T + affine[:3, 3]


def centroid(array: NDArray, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return (points_of(affine, array.shape) * array[..., None]).reshape(-1, 3).sum(0) / array.sum()


def settings(step: str) -> ProcessingConfig:
    even = {"intensity": RAW, "enface_intensity": RAW, "slabs": ("ILM_BM",)}
    return ProcessingConfig.model_validate(even | STEPS[step])


@cache
def process(field_mm: float, side: Laterality, step: str) -> dict[str, Result]:
    """What is made of an eye by the settings of a step, with a known transform in place of one that is found."""
    eye, config = OneEye(field_mm, side), settings(step)
    if config.registration.method == "none":
        return process_eye(eye, "1", eye.surfaces("1"), config)
    known = Registered(TRANSFORMS[config.registration.method], 1, 1, 0, 0, 1)
    reference = make_reference(OneEye(field_mm), "1", OneEye(field_mm).surfaces("1"), config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("octa_kedro.preprocessing.eye.register", lambda *_args, **_named: known)
        return process_eye(eye, "1", eye.surfaces("1"), config, reference)


def record_of(made: dict[str, Result], part: str = VOLUME) -> PlacementRecord:
    return PlacementRecord.from_json(json.loads(json.dumps(made[part].facts[PLACEMENT_KEY])), who="eye")


def plane_of(made: dict[str, Result]) -> Any:
    return made[FLATTEN].item if FLATTEN in made else None


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


@pytest.mark.parametrize("step", ["resize finer", "flattened BM"])
def test_a_left_eye_is_not_left_mirrored(step: str):
    eye = OneEye(3.0, "OS")
    made = process(eye.field_mm, eye.side, step)
    record = record_of(made)
    assert record.mirrored
    forgotten = record.model_copy(update={"mirrored": False})
    off = [
        abs(centroid(restore_to_scan(made[VOLUME].item, r, plane_of(made)).array, eye.affine)[0] - eye.landmark_mm[0])
        for r in (record, forgotten)
    ]
    assert off[0] < 0.02
    assert off[1] > 0.5  # the landmark lies 13 of 40 voxels from one side


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
def test_what_was_not_processed_is_zero_and_not_covered(eye: OneEye):
    made = process(eye.field_mm, eye.side, "flattened BM")
    record, plane = record_of(made), plane_of(made)
    ones = replace(made[VOLUME].item, array=np.ones(record.grid_shape, np.float32))
    covered = covered_part(record, plane).array
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
