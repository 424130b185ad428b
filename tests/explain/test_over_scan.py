"""A landmark of a map lies at the same millimetres as in the converted raw scan: files read with nibabel, nothing else.

The whole way: a raw scan with a bright block, processed (a left eye mirrored, the retina flattened or not) and stored;
a map that marks the block; the map over the scan as the catalog writes it; and the scan as `conversion` writes it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from octa_kedro.explain.recipes import over_scan_job
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.config import FLATTEN, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.conversion import VOLUME as CONVERTED
from octa_kedro.preprocessing.placement_record import read_placement
from octa_kedro.preprocessing.recipes import conversions, processing
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Stored, write_result
from tests.preprocessing.landmark import LANDMARKS, SHAPES, OneEye

ONE = ExecutionConfig(workers=1)
HALF = np.array([3, 3, 2])
"""Of the block, in voxels of the scan on each side of its middle."""


class BlockEye(OneEye):
    """A dark eye with one bright block off the middle along every axis."""

    def volume(self, subject: str, modality: str) -> Volume:
        array = np.full(SHAPES[self.field_mm], 5, np.uint8)
        middle = np.array(LANDMARKS[self.field_mm])
        array[tuple(slice(a, b) for a, b in zip(middle - HALF, middle + HALF + 1, strict=True))] = 200
        return Volume(array, self.affine, modality, self.side, f"eye {subject}")


@dataclass
class Surfaces:
    eye: OneEye
    sha256: str = "surfaces"
    meta: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> PlaneStack:
        return self.eye.surfaces("1")


def stored(job: Job, folder: Path, *, compress: bool = False) -> dict[str, Stored]:
    store = Store(folder, compress=compress)
    return dict(store.open_all(store.put_all(job, job.part)))


def middle_mm(path: Path) -> np.ndarray:
    """Where a file says that the middle of its bright block lies."""
    image = nib.load(path)
    values = image.get_fdata()
    voxels = np.argwhere(values > values.max() / 2)
    return nib.affines.apply_affine(image.affine, voxels.mean(axis=0))


@pytest.mark.parametrize("flatten", [None, "BM"], ids=["as it is", "flattened"])
@pytest.mark.parametrize("side", ["OD", "OS"])
@pytest.mark.parametrize("field_mm", [3.0, 6.0])
def test_a_landmark_has_the_same_millimetres_in_map_and_scan(field_mm, side, flatten, tmp_path: Path):
    eye = BlockEye(field_mm, side)
    config = ProcessingConfig.model_validate(
        {"field_mm": (2.7, 2.7), "depth_mm": 1.2, "grid": (44, 40, 60), "flatten": flatten, "slabs": ("ILM_BM",),
         "intensity": {"lower": 0.0, "upper": 100.0}, "enface_intensity": {"lower": 0.0, "upper": 100.0}}
    )  # fmt: skip
    table = pd.DataFrame({"subject": ["1"], "field_of_view_mm": [field_mm]})
    made = processing(eye, table, {"1": Surfaces(eye)}, {}, config)
    images = stored(Job(made, VOLUME, ONE), tmp_path / "images")
    planes = stored(Job(made, FLATTEN, ONE), tmp_path / "images") if flatten else {}
    assert read_placement(images["1"]).mirrored == (side == "OS")
    seen = images["1"]()
    said = write_result(tmp_path / "map.nii", Result(seen.with_array(np.where(seen.array > 0.5, seen.array, 0))))
    maps = {"1": Stored(tmp_path / said["file"], said["sha256"], said["meta"])}
    over = stored(over_scan_job(maps, images, planes, ["1"], ONE), tmp_path / "over", compress=True)
    scans = stored(Job(conversions(eye, ["1"], ["OCTA"]), CONVERTED, ONE), tmp_path / "scans", compress=True)
    scan, heat = next(iter(scans.values())).path, over["1"].path
    np.testing.assert_allclose(nib.load(heat).affine, nib.load(scan).affine, atol=1e-6)
    assert nib.load(heat).shape == nib.load(scan).shape
    spacing = nib.affines.voxel_sizes(nib.load(scan).affine)
    assert (np.abs(middle_mm(scan) - eye.landmark_mm) < 1e-4).all()  # the planted place itself
    assert (np.abs(middle_mm(heat) - middle_mm(scan)) < spacing).all()
