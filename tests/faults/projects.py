"""The small projects that faults are made in, and what they hold before anything has gone wrong."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from tests.fuzz.encapsulated import save_encapsulated
from tests.io.test_heidelberg import Writer
from tests.pipelines.conftest import new_project

SHAPE, FIELD_MM = (12, 14, 16), (3.0, 3.0, 2.0)
SPLITS = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
SMALL = {
    "source": {"path": "eyes"},
    "training_3d": {"model": {"name": "resnet10", "widths": [4, 4, 8, 8]}, "max_epochs": 1, "save_seconds": 0},
    "evaluation": {"resamples": 100},
    "explainability": {"checked_eyes": 0},
    "execution": {"workers": 1},
}
DATA = "data/nifti_folder"
VENDOR = "run --env vendor --to-nodes process_eyes --params source.path=scans,source.anatomy=any,cohort.labelled=false"
"""All that is asked of scanners' files."""


def nifti_project(folder: Path) -> None:
    """Eight small eyes as NIfTI files with a table, and parameters that make a mission of seconds of them."""
    new_project(folder)
    for index in range(len(SPLITS)):
        write_nifti(folder / "eyes" / f"e{index}.nii.gz", eye(index), scan_affine(SHAPE, FIELD_MM))
        write_nifti(folder / "eyes" / f"m{index}.nii.gz", lesion(), scan_affine(SHAPE, FIELD_MM))
    subjects().to_csv(folder / "eyes/subjects.csv", index=False)
    (folder / "conf/local/parameters.yml").write_text(yaml.safe_dump(SMALL))


def eye(index: int) -> np.ndarray:
    """Noise, and in every second eye a cube."""
    array = np.random.default_rng(index).integers(1, 60, SHAPE).astype(np.uint8)
    if index % 2:
        array[4:8, 4:8, 4:8] = 200
    return array


def lesion() -> np.ndarray:
    """The cube."""
    array = np.zeros(SHAPE, np.uint8)
    array[4:8, 4:8, 4:8] = 1
    return array


def subjects() -> pd.DataFrame:
    """The table of the eight eyes; all of it is text."""
    numbers = range(len(SPLITS))
    return pd.DataFrame(
        {
            "subject": [f"e{n}" for n in numbers],
            "path": [f"e{n}.nii.gz" for n in numbers],
            "label": [("healthy", "ill")[n % 2] for n in numbers],
            "split": SPLITS,
            "patient": [f"p{n}" for n in numbers],
            "laterality": "OD",
            "lesion_path": [f"m{n}.nii.gz" for n in numbers],
        }
    )


def vendor_project(folder: Path) -> None:
    """A folder with three eyes as scanners write them, without labels."""
    new_project(folder)
    (folder / "scans").mkdir()
    for number, name in enumerate("ab"):
        (folder / "scans" / f"{name}.vol").write_bytes(vendor_scan(number))
    save_encapsulated(folder / "scans/c.dcm", "JPEG2000")
    (folder / "conf/local/parameters.yml").write_text(yaml.safe_dump({"execution": {"workers": 1}}))


def vendor_scan(seed: int) -> bytes:
    """A Heidelberg file with noise."""
    return Writer()(np.random.default_rng(seed).uniform(0, 1, (12, 14, 16)).astype(np.float32))


def release_project(folder: Path, release: Path) -> None:
    """A small phantom in the layout of OCTA-500, in the environment `test`."""
    new_project(folder, release)
    shutil.rmtree(folder / "data/test/01_raw/phantom/.written", ignore_errors=True)
