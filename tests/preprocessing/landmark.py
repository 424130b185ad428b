"""Eyes with one landmark, processed with every combination of steps and known transforms."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from octa_kedro.io.source import Source
from octa_kedro.io.volume import Frame, Laterality, PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.config import FLATTEN, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.eye import make_reference, process_eye
from octa_kedro.preprocessing.placement_record import PLACEMENT_KEY, PlacementRecord
from octa_kedro.preprocessing.registration import Registered
from octa_kedro.preprocessing.transform import Displacement, Transform, translation
from octa_kedro.results.result import Result

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


@dataclass
class TiltedEye(OneEye):
    """The same eye in a file whose axes are tilted in its world."""

    tilt: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))

    def volume(self, subject: str, modality: str) -> Volume:
        return replace(super().volume(subject, modality), frame=Frame(self.tilt))

    def lesion(self, subject: str) -> Volume:
        return replace(super().lesion(subject), frame=Frame(self.tilt))

    def surfaces(self, subject: str) -> PlaneStack:
        return replace(super().surfaces(subject), frame=Frame(self.tilt))


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
    return process_with(OneEye(field_mm, side), step)


def process_with(eye: OneEye, step: str) -> dict[str, Result]:
    config, field_mm = settings(step), eye.field_mm
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


EYES = [OneEye(field, side) for field in SHAPES for side in ("OD", "OS")]
each_eye = pytest.mark.parametrize("eye", EYES, ids=lambda e: f"{e.field_mm:g} mm {e.side}")
each_step = pytest.mark.parametrize("step", STEPS)
