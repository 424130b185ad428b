"""A cohort of eyes of 24 x 24 x 48 voxels in NIfTI files, with surfaces, to be damaged; and the steps over it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.recipe import Job
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Manifest

SHAPE, ILM, BM = (24, 24, 48), 0.8, 1.3
COHORT = CohortConfig.model_validate({"classes": ["NORMAL", "DR"], "diseases": None})
PROCESSING = ProcessingConfig.model_validate({"grid": (8, 8, 8), "field_mm": (2.5, 2.5), "slabs": ["ILM_BM"]})


def write_eye(folder: Path, name: str, *, seed: int, field_mm: float = 3.0, **row: str) -> dict[str, str]:
    """The files of an eye with a bright retina; its row of the table."""
    rng, affine = np.random.default_rng(seed), scan_affine(SHAPE, (field_mm, field_mm, 2.0))
    depths = affine[2, 3] + affine[2, 2] * np.arange(SHAPE[2])
    retina = np.where((depths > ILM) & (depths < BM), 120, 6)
    for kind in ("octa", "oct"):
        array = np.clip(retina * rng.uniform(0.3, 1.7, SHAPE), 1, 250).astype(np.uint8)
        write_nifti(folder / f"{name}_{kind}.nii", array, affine)
    planes = np.stack([np.full(SHAPE[:2], depth, np.float32) for depth in (ILM, BM)], axis=2)
    write_nifti(folder / f"{name}_surfaces.nii", planes, affine)
    paths = {"path": f"{name}_octa.nii", "oct_path": f"{name}_oct.nii", "surfaces_path": f"{name}_surfaces.nii"}
    return {"subject": name, "label": "DR" if seed % 2 else "NORMAL", **paths, **row}


def write_table(folder: Path, rows: list[dict[str, Any]]) -> None:
    pd.DataFrame(rows).fillna("").to_csv(folder / "subjects.csv", index=False)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def do(job: Job, folder: Path) -> Manifest:
    """Make what a node asks for."""
    store = Store(folder)
    return store.open_all(store.put_all(job, folder.name))
