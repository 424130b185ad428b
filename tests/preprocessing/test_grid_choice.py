"""The grid that follows from the scans."""

from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.volume import scan_affine
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.grid_choice import choose_grid, settle_processing
from octa_kedro.preprocessing.processed_as import PROCESSING_KEY, require_processed_as

WHOLE = {"grid": "auto", "field_mm": None, "depth_mm": None, "slabs": []}


@pytest.mark.parametrize(
    ("counts", "extent_mm", "grid"),
    [
        ((304, 304, 640), (3, 3, 2), (96, 96, 64)),  # voxels of 3/96 mm
        ((512, 512, 30), (358, 358, 150), (96, 96, 32)),  # thick slices are not made thinner
        ((40, 60, 52), (40, 60, 52), (40, 64, 56)),  # whole multiples of 8, the half one up
        ((12, 14, 16), (24, 28, 32), (32, 32, 32)),
    ],
)
def test_the_grid_has_the_proportions_of_the_scan(counts, extent_mm, grid: tuple[int, int, int]):
    assert choose_grid(counts, extent_mm) == grid


@pytest.fixture
def source(tmp_path: Path) -> NiftiFolder:
    """Two scans alike and one that is odd."""
    for name, shape in {"a": (80, 64, 40), "b": (80, 64, 40), "c": (16, 16, 200)}.items():
        array = np.random.default_rng(0).integers(0, 90, shape).astype(np.uint8)
        write_nifti(tmp_path / f"{name}.nii", array, scan_affine(shape, (8.0, 6.4, 4.0)))
    return NiftiFolder(tmp_path)


@pytest.mark.parametrize(
    ("settings", "grid"),
    [
        ({}, (80, 64, 40)),
        ({"field_mm": (4.0, 3.2)}, (40, 32, 40)),
        ({"sampling_mm": 0.2}, (40, 32, 40)),
        ({"grid": (8, 8, 8)}, (8, 8, 8)),
    ],
)
def test_the_median_scan_settles_what_is_kept_of_it(source: NiftiFolder, settings: dict, grid: tuple[int, int, int]):
    settled = settle_processing(source, ["c", "a", "b"], ProcessingConfig.model_validate(WHOLE | settings))
    assert settled.voxels == grid


class Image:
    """What a stored image says of how it was made."""

    def __init__(self, **settings) -> None:
        self.meta = {PROCESSING_KEY: ProcessingConfig.model_validate(WHOLE | settings).model_dump(mode="json")}


def test_a_training_takes_the_grid_of_its_images():
    auto = ProcessingConfig.model_validate(WHOLE)
    images = {"a": Image(grid=[32, 40, 48]), "b": Image(grid=[32, 40, 48])}
    assert require_processed_as(images, auto, who="p").voxels == (32, 40, 48)
    with pytest.raises(
        ConfigError, match=r"subject b: .*processing\.grid = \[32, 32, 32\], but p goes by \[32, 40, 48\]"
    ):
        require_processed_as(images | {"b": Image(grid=[32, 32, 32])}, auto, who="p")
    with pytest.raises(ConfigError, match=r"processing\.mirror_left"):
        require_processed_as({"a": Image(grid=[32, 40, 48], mirror_left=False)}, auto, who="p")
    with pytest.raises(ConfigError, match=r"grid is auto, which the scans"):
        _ = auto.voxels
