"""What the page of a cohort shows of an eye."""

from pathlib import Path

import numpy as np
import pandas as pd

from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.results.stored import Stored
from octa_kedro.viewer.cohort import SCORES, ViewerPage

SHAPE = (4, 3, 20)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 1.0))
DEPTHS = {"ILM": 0.2, "IPL_INL": 0.4, "OPL_ONL": 0.6, "BM": 0.8}


def eye_of(surfaces: dict[str, float], **columns):
    volume = Volume(np.ones(SHAPE, np.float32), AFFINE, "OCTA")
    planes = PlaneStack(np.ones((*SHAPE[:2], 1)) * [*surfaces.values()], AFFINE, tuple(surfaces))
    row = {"subject": "1", "disease": "DR", "probability": 0.9, "part": "held_out", "peak_in_lesion": 1.0,
           "peak_in_slab": 1.0, "voxel_ap": 0.5, "mass_in_lesion": 0.1}  # fmt: skip
    images = {"1": lambda: volume}
    page = ViewerPage(pd.DataFrame([row | columns]), images, images, {"1": lambda: planes}, {}, title="t")
    return next(iter(page._eyes()))


def test_the_explained_class_is_told_where_maps_differ_in_it(tmp_path: Path):
    volume = Volume(np.ones(SHAPE, np.float32), AFFINE, "OCTA")
    write_nifti(tmp_path / "map.nii", volume.array, AFFINE)
    sha = sha256_of(tmp_path / "map.nii")
    words = {"laterality": None, "source": "", "modality": "OCTA"}
    maps = {name: Stored(tmp_path / "map.nii", sha, words | {"explained_class": name}) for name in ("CNV", "DR")}
    row = {"disease": "DR", "probability": 0.9, "part": "held_out"} | dict.fromkeys(SCORES, 1.0)
    rows = pd.DataFrame([row | {"subject": name, "explained": k} for k, name in enumerate(maps)])
    eyes = [*ViewerPage(rows, maps, maps, {}, {}, title="t")._eyes()]
    assert [eye.scores["explained class"] for eye in eyes] == ["CNV", "DR"]
    assert "explained class" not in eye_of(DEPTHS).scores


def test_slabs_are_those_between_known_surfaces():
    voxels = {name: int(inside[0, 0].sum()) for name, inside in eye_of(DEPTHS).slabs.items()}
    assert voxels == {"above ILM": 4, "ILM-IPL": 4, "IPL-OPL": 4, "OPL-BM": 4, "below BM": 4, "ILM-OPL": 8}


def test_the_ilm_is_kept_where_it_is_known():
    assert eye_of(DEPTHS).ilm[0, 0] == np.float64(0.2)
    assert eye_of({"BM": 0.8}).ilm is None


def test_a_spread_is_shown_where_there_is_one():
    assert eye_of(DEPTHS, spread=0.25).spread == 0.25
    assert eye_of(DEPTHS, spread=float("nan")).spread is None
    assert eye_of(DEPTHS).spread is None


def test_whether_a_peak_hit_is_told_as_yes_or_no():
    assert eye_of(DEPTHS).scores["peak_in_lesion"] is True
    assert eye_of(DEPTHS, peak_in_slab=0.0).scores["peak_in_slab"] is False
    assert np.isnan(eye_of(DEPTHS, peak_in_slab=float("nan")).scores["peak_in_slab"])
