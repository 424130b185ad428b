"""Every eye that was listed, labelled or found is in the flow, with what became of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.cohort.config import SplitConfig
from octa_kedro.cohort.flow import NOTHING_MADE, leave_unless, start_flow
from octa_kedro.cohort.table import UNLISTED
from octa_kedro.errors import DataError
from octa_kedro.io.nifti import map_nifti, write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.volume import scan_affine
from octa_kedro.pipelines.data_processing import nodes
from octa_kedro.preprocessing.config import PARTS
from octa_kedro.preprocessing.quality_config import QualityConfig
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.stored import Manifest, Stored
from tests.pipelines.small_eyes import COHORT, PROCESSING, SHAPE, cut, do, write_eye, write_table

ASIDE = ExecutionConfig(workers=1, on_error="quarantine")
NO_LIMITS = dict.fromkeys(QualityConfig.model_fields, None)
FATES = {
    "missing": ("files", "missing_octa.nii does not exist"),
    "cut": ("files", "cut_octa.nii"),
    "two_grids": ("files", "two_grids_oct.nii"),
    "torn": ("files", "torn_surfaces.nii"),
    "gone": ("files", "gone_surfaces.nii does not exist"),
    "blank": ("files", "retina"),
    "other": ("class", "GLAUCOMA is in no class"),
    "excluded": ("exclusion list", "blinked"),
    "glaring": ("quality", "saturated"),
    "small": ("processing", "2.5"),
    "spoilt": ("processing", "spoilt_lesion.nii"),
    "stray.nii": ("label sheet", UNLISTED),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight sound eyes, and one for each fate."""
    rows = [write_eye(tmp_path, f"sound{n}", seed=n) for n in range(8)]
    own = {
        "other": {"label": "GLAUCOMA"},
        "spoilt": {"lesion_path": "spoilt_lesion.nii"},
        "blank": {"surfaces_path": ""},
    }
    for n, name in enumerate(name for name in FATES if name != "stray.nii"):
        field_mm = 2.0 if name == "small" else 3.0
        rows.append(write_eye(tmp_path, name, seed=20 + n, field_mm=field_mm, **own.get(name, {})))
    write_table(tmp_path, rows)
    affine = scan_affine(SHAPE, (3.0, 3.0, 2.0))
    noise = np.random.default_rng(0).integers(1, 9, SHAPE).astype(np.uint8)
    for name in ("stray", "spoilt_lesion", "blank_octa", "blank_oct"):
        write_nifti(tmp_path / f"{name}.nii", noise[::-1] if name.endswith("oct") else noise, affine)
    write_nifti(tmp_path / "two_grids_oct.nii", noise[:12], scan_affine((12, 24, 48), (3.0, 3.0, 2.0)))
    glaring = np.array(map_nifti(tmp_path / "glaring_octa.nii")[0])
    glaring[:, :, 20:30] = 255
    for kind in ("octa", "oct"):
        write_nifti(tmp_path / f"glaring_{kind}.nii", glaring if kind == "oct" else glaring[::-1], affine)
    for name in ("missing_octa", "gone_surfaces", "blank_surfaces"):
        (tmp_path / f"{name}.nii").unlink()
    for name in ("cut_octa", "torn_surfaces", "spoilt_lesion"):
        cut(tmp_path / f"{name}.nii")
    return tmp_path


def test_every_eye_is_in_the_flow_with_what_became_of_it(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    made = tmp_path_factory.mktemp("made")
    source, who = NiftiFolder(folder), COHORT.model_copy(update={"exclude": {"excluded": "blinked"}})
    cohort, flow = nodes.read_cohort(source, who, ASIDE)
    inspected = nodes.inspect_eyes(source, cohort, who, PROCESSING, ASIDE)
    surfaces = do(inspected[0], made / "inspected")
    quality = nodes.judge_quality(surfaces, QualityConfig(**NO_LIMITS | {"max_saturated_share": 0.05}))
    screened, flow = nodes.screen_eyes(cohort, quality, surfaces, flow)
    splits = nodes.draw_splits(screened, SplitConfig(folds=2, hold_out=0.3))
    jobs = nodes.process_eyes(source, screened, surfaces, {}, PROCESSING, ASIDE)
    manifests = [do(job, made / "processed") for job in jobs]
    assert len(manifests) == len(PARTS)
    admitted, flow, counted, text = nodes.admit_eyes(splits, flow, *manifests)

    listed = {path.name for path in folder.glob("stray*")} | set(pd.read_csv(folder / "subjects.csv")["subject"])
    assert sorted(flow["subject"]) == sorted(listed)
    became = flow.set_index("subject")
    for name, (step, reason) in FATES.items():
        assert became.loc[name, "left_at"] == step, (name, became.loc[name].to_dict())
        assert reason in became.loc[name, "reason"], (name, became.loc[name, "reason"])
    sound = {f"sound{n}" for n in range(8)}
    assert set(flow.loc[flow["left_at"] == "", "subject"]) == sound == set(admitted["subject"])
    assert counted["eyes"].iloc[0] == len(listed) == counted["eyes"].iloc[1:].sum()
    assert text.startswith(f"8 of {len(listed)} eyes take part")


def test_an_eye_of_which_nothing_was_made_leaves_even_if_nobody_knows_why():
    eyes = pd.DataFrame({"subject": ["a", "b"], "disease": "x", "label": "x", "field_of_view_mm": 3.0})
    after = leave_unless(start_flow(eyes), {"a"}, "processing", {})
    assert after[["left_at", "reason"]].to_numpy().tolist() == [["", ""], ["processing", NOTHING_MADE]]


def test_an_eye_whose_maps_failed_alone_is_not_in_the_splits():
    rows = pd.DataFrame({"subject": [*"abcde"], "disease": "x", "label": [*"NDNDD"], "field_of_view_mm": 3.0})
    splits = rows.assign(target=[0, 1, 0, 1, 1], held_out=[True, True, False, False, False], fold=[0, 0, 1, 1, 1])
    images = Manifest({name: Stored(Path(name), name, {}) for name in "abcde"})
    after = nodes.admit_eyes(splits, start_flow(rows), images, Manifest({}, {"e": "subject e: no map"}))
    assert after[0]["subject"].tolist() == [*"abcd"]
    assert after[1].set_index("subject").loc["e", "reason"] == "subject e: no map"


def test_a_linked_field_folder_is_searched_and_a_link_to_nothing_is_an_eye(release_copy: Path, tmp_path: Path):
    every = Octa500Release(release_copy).subjects()
    elsewhere = (release_copy / "OCTA_6mm").rename(tmp_path / "elsewhere_OCTA_6mm")
    (release_copy / "OCTA_6mm").symlink_to(elsewhere)
    (release_copy / "OCTA_3mm" / "round").symlink_to(release_copy)
    for modality in ("OCT", "OCTA"):
        (release_copy / "OCTA_3mm" / modality / "10999").symlink_to(tmp_path / "nowhere")
    assert Octa500Release(release_copy).subjects() == sorted([*every, "10999"])


def test_scans_in_a_folder_that_does_not_tell_its_field_are_refused(release_copy: Path):
    (release_copy / "OCTA_6mm").rename(release_copy / "OCTA_6mm copied")
    with pytest.raises(DataError, match=r"OCTA_6mm copied: holds scans, but its name does not tell"):
        Octa500Release(release_copy).subjects()


def test_a_link_to_nothing_among_loose_files_is_an_eye(tmp_path: Path):
    write_eye(tmp_path, "a", seed=1)
    (tmp_path / "lost.nii").symlink_to(tmp_path / "nowhere.nii")
    assert "lost" in NiftiFolder(tmp_path).subjects()
