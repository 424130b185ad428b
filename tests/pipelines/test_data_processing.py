"""What data processing leaves beside its images: who takes part and why, and everything that belongs to an eye."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from octa_kedro.errors import OctaError, user_error
from tests.pipelines.conftest import catalog, run

PROCESSING = {"pipeline_names": ["data_processing"]}
QUARANTINE = {"execution": {"on_error": "quarantine"}}


def one_eye(project: Path, modality: str = "OCTA") -> Path:
    return min((project / "data/test/01_raw/phantom/OCTA_6mm" / modality).iterdir())


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def test_a_damaged_eye_is_left_out_with_its_reason_and_the_rest_goes_on(with_release: Path):
    eye = one_eye(with_release)
    damage(eye / "7.bmp")
    run(with_release, params=QUARANTINE | {"splits": {"hold_out": 0.3}}, **PROCESSING)
    loaded = catalog(with_release)
    flow = loaded.load("eye_flow").set_index("subject")
    assert flow.loc[eye.name, "left_at"] == "files"
    assert "7.bmp" in flow.loc[eye.name, "reason"]
    for name in ("processed_volumes", "enface_maps", "processed_surfaces"):
        assert len(loaded.load(name)) == 11
        assert eye.name not in loaded.load(name)
    assert eye.name not in set(loaded.load("splits")["subject"])
    counted = loaded.load("flow_table")
    assert counted.iloc[0]["eyes"] == 12
    assert counted.iloc[-1]["eyes"] == 11
    assert "11 of 12 eyes take part" in loaded.load("flow_report")


def test_without_quarantine_it_stops_and_nothing_finished_is_lost(with_release: Path):
    damage(one_eye(with_release) / "7.bmp")
    with pytest.raises((OctaError, DatasetError)) as caught:
        run(with_release, **PROCESSING)
    assert "7.bmp" in str(user_error(caught.value))
    assert len(list((with_release / "data/test/02_intermediate/inspected").glob("*-surfaces.nii"))) < 12
    assert not catalog(with_release).exists("processed_volumes")


def test_an_eye_beyond_a_limit_of_quality_leaves_with_the_measure(with_release: Path):
    run(with_release, params={"quality": {"max_tilt_deg": 1.1}}, to_nodes=["screen_eyes", "draw_contact_sheets"])
    loaded = catalog(with_release)
    quality, flow = loaded.load("quality_table"), loaded.load("eye_flow_quality").set_index("subject")
    tilted = quality[quality["tilt_deg"] > 1.1]
    assert 0 < len(tilted) < 12
    for row in tilted.to_dict("records"):
        assert f"tilt {row['tilt_deg']:.3g} deg > 1.1" in flow.loc[row["subject"], "reason"]
    kept = set(loaded.load("screened_cohort")["subject"])
    assert kept == set(quality["subject"]) - set(tilted["subject"])
    assert list((with_release / "data/test/08_reporting/contact_sheets").rglob("page_1.png"))


def test_a_listed_eye_is_excluded_with_the_reason_on_the_list(with_release: Path):
    subject = one_eye(with_release).name
    run(with_release, params={"cohort": {"exclude": {subject: "blinked"}}}, to_nodes=["read_cohort"])
    flow = catalog(with_release).load("eye_flow_files").set_index("subject")
    assert (flow.loc[subject, "left_at"], flow.loc[subject, "reason"]) == ("exclusion list", "blinked")


def test_registered_eyes_lie_in_the_frame_of_a_development_eye_of_their_field(with_release: Path):
    params: dict[str, Any] = {
        "processing": {"registration": {"method": "rigid", "iterations": 15}, "flatten": "BM", "with_oct": True}
    }
    run(with_release, params=params | QUARANTINE, **PROCESSING)
    loaded = catalog(with_release)
    references, splits = loaded.load("references"), loaded.load("drawn_splits").set_index("subject")
    assert references.keys() == {f"{f}mm-{part}" for f in (3, 6) for part in ("image", "surfaces")}
    chosen = {name: stored.meta["subject"] for name, stored in references.items() if name.endswith("surfaces")}
    assert not splits.loc[list(chosen.values()), "held_out"].any()
    images, transforms = loaded.load("processed_volumes"), loaded.load("transforms")
    fields = splits["field_of_view_mm"]
    for name, reference in chosen.items():
        own = [s for s in images if f"{fields[s]:g}mm-surfaces" == name]
        assert len(own) > 1
        for subject in own:
            np.testing.assert_allclose(images[subject]().grid_affine, images[reference]().grid_affine)
            np.testing.assert_allclose(loaded.load("processed_oct")[subject]().affine, images[subject]().affine)
        np.testing.assert_allclose(transforms[reference]["transform"]["matrix"], np.eye(4), atol=1e-6)
    assert loaded.load("flattening").keys() == images.keys()
    # one frame, one depth for all: BM is flat, and where the reference has it
    depths = [float(np.median(s().plane("BM"))) for s in loaded.load("processed_surfaces").values()]
    assert len(depths) == len(images)


def test_left_eyes_are_turned(with_release: Path):
    for mirrored in (True, False):
        run(with_release, params={"processing": {"mirror_left": mirrored}}, to_nodes=["process_eyes"])
        images = catalog(with_release).load("processed_volumes")
        sides = {s: stored.meta["laterality"] for s, stored in images.items()}
        assert set(sides.values()) == {"OD", "OS"}
        arrays = {s: stored().array for s, stored in images.items()}
        if mirrored:
            turned, before = arrays, images
    for subject, side in sides.items():
        expected = arrays[subject][::-1] if side == "OS" else arrays[subject]
        # sums in another order move a voxel across the lower percentile now and then
        assert (np.abs(turned[subject] - expected) > 2e-5).mean() < 1e-3
        assert before[subject].path != images[subject].path


def test_raw_scans_can_be_taken_away_as_nifti(with_release: Path):
    run(with_release, pipeline_names=["conversion"])
    volumes = catalog(with_release).load("volumes")
    subject = one_eye(with_release).name
    assert len(volumes) == 24
    scan = nib.load(volumes[f"{subject}-OCTA"].path)
    assert scan.shape == (44, 44, 128)
    np.testing.assert_allclose(scan.header.get_zooms(), (6 / 44, 6 / 44, 2 / 128), rtol=1e-5)


def test_several_classes_are_split_and_kept_apart(with_release: Path):
    params = {"cohort": {"classes": ["NORMAL", "DR", "CNV"]}}
    run(with_release, params=params, to_nodes=["tabulate_folds"])
    splits: pd.DataFrame = catalog(with_release).load("splits")
    assert splits.groupby("label")["target"].unique().map(list).to_dict() == {"NORMAL": [0], "DR": [1], "CNV": [2]}
