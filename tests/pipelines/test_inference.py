"""Unlabelled eyes through trained networks: the mission's steps, the mission's numbers, and warnings."""

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import CheckpointError, ConfigError, user_error
from tests.conftest import SHARED
from tests.pipelines.conftest import catalog, run

ROOT = "data/test"


def infer(project: Path, *, name: str = "", **inference: Any) -> tuple[pd.DataFrame, dict[str, Any], Path]:
    """Run the pipeline: the table, the report, and the folder of the eyes of that version."""
    source = inference.pop("source", None)
    params: dict[str, Any] = {"inference": inference | ({"name": name} if name else {})}
    if source is not None:
        params["source"] = {"path": str(source)}
    version = run(project, pipeline_names=["inference"], params=params)
    root = project / ROOT / "inference" / (name or (source.name if source else "source"))
    table = pd.read_csv(root / "predictions.csv" / version / "predictions.csv", dtype={"subject": str})
    report = json.loads((root / "prediction.json" / version / "prediction.json").read_text())
    return table, report, root / "eyes" / version


@pytest.fixture(scope="module")
def eyes(phantom_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scans of three eyes, without label sheet or surfaces; one of them is broken."""
    folder = tmp_path_factory.mktemp("unlabelled") / "clinic"
    for scan in sorted(phantom_root.glob("OCTA_6mm/OCTA/*"))[:3]:
        for modality in ("OCT", "OCTA"):
            shutil.copytree(scan.parents[1] / modality / scan.name, folder / "OCTA_6mm" / modality / scan.name)
    broken = sorted(folder.glob("OCTA_6mm/OCTA/*"))[0]
    (broken / "7.bmp").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def first(mission: tuple[Path, str], eyes: Path) -> tuple[pd.DataFrame, dict[str, Any], Path]:
    return infer(mission[0], source=eyes)


def test_every_sound_eye_is_read_and_a_broken_one_is_named(first, eyes: Path):
    table, report, folder = first
    broken, *sound = sorted(path.name for path in eyes.glob("OCTA_6mm/OCTA/*"))
    assert table["subject"].tolist() == sound
    assert list(report["left_out"]) == [broken]
    assert "7.bmp" in report["left_out"][broken]
    assert sorted(path.name for path in folder.iterdir()) == sound


def test_the_table_says_the_mean_and_the_spread(first):
    table, report, _ = first
    each = {s: [one["DISEASED"] for one in eye["probabilities_of_each_network"]] for s, eye in report["eyes"].items()}
    for row in table.to_dict("records"):
        shares = each[row["subject"]]
        assert row["probability_DISEASED"] == pytest.approx(np.mean(shares))
        assert row["probability_NORMAL"] + row["probability_DISEASED"] == pytest.approx(1)
        assert row["predicted"] == ("DISEASED" if np.mean(shares) >= 0.5 else "NORMAL")
        assert row["deviation"] == pytest.approx(np.std(shares, ddof=1))
        assert row["surfaces"] == "estimated"
        assert row["field_of_view_mm"] == 6


def test_the_report_names_the_networks(first, mission):
    _, report, _ = first
    assert [network["fold"] for network in report["networks"]] == [1, 2]
    assert {network["version"] for network in report["networks"]} == {mission[1]}
    assert all((mission[0] / network["file"]).is_file() for network in report["networks"])
    assert not any(Path(network["file"]).is_absolute() for network in report["networks"])
    assert report["environment"] == "test"
    assert report["explained_class"] == "DISEASED"


def test_the_folder_of_an_eye_holds_what_people_take_away(first, eyes: Path):
    table, _, folder = first
    subject = table["subject"][0]
    files = {path.name.removeprefix(subject): path for path in (folder / subject).iterdir()}
    assert set(files) == {"_image.nii.gz", "_map.nii.gz", "_map_over_scan.nii.gz", ".png", ".json"}
    image, heat, over = (nib.load(files[f"_{name}.nii.gz"]) for name in ("image", "map", "map_over_scan"))
    assert heat.shape == image.shape == (32, 32, 64)
    np.testing.assert_allclose(heat.affine, image.affine)
    assert over.shape == (44, 44, 128)
    assert 0 < over.get_fdata().max() <= heat.get_fdata().max() * (1 + 1e-6)
    assert files[".png"].stat().st_size > 10_000
    assert not any(path.is_symlink() for path in files.values())


def test_a_second_run_works_on_new_eyes_only(first, mission, eyes: Path, phantom_root: Path, caplog):
    before, _, folder = first
    scan = sorted(phantom_root.glob("OCTA_6mm/OCTA/*"))[3]
    for modality in ("OCT", "OCTA"):
        shutil.copytree(scan.parents[1] / modality / scan.name, eyes / "OCTA_6mm" / modality / scan.name)
    with caplog.at_level("INFO"):
        after, _, again = infer(mission[0], source=eyes)
    assert "1 of 3 eyes are new" in caplog.text
    pd.testing.assert_frame_equal(after[after["subject"] != scan.name].reset_index(drop=True), before)
    old = before["subject"][0]
    for path in (folder / old).iterdir():
        assert path.samefile(again / old / path.name)
    assert len(list((again / scan.name).iterdir())) == 5


def test_inference_says_what_the_mission_says(mission):
    project, _ = mission
    loaded = catalog(project)
    table, report, _ = infer(project)
    splits, pooled = loaded.load("splits"), loaded.load("evaluation.predictions")
    held_out = splits.loc[splits["held_out"], "subject"].tolist()
    said = table.set_index("subject")
    mission_says = pooled[pooled["model"] == "training_3d"].set_index("subject")["probability"]
    assert len(held_out) > 2
    for subject in held_out:
        assert said.loc[subject, "probability_DISEASED"] == mission_says[subject]
        assert not said.loc[subject, "learnt_from_this_subject"]
        assert pd.isna(said.loc[subject, "learnt_from_copy"])
        for number, shares in enumerate(report["eyes"][subject]["probabilities_of_each_network"], start=1):
            fold = loaded.load(f"training_3d.fold_{number}.predictions").set_index("subject")["probability"]
            assert shares["DISEASED"] == fold[subject]
    learnt = loaded.load("training_3d.fold_1.checkpoint").card.learnt_from()
    assert said.loc[sorted(learnt), "learnt_from_this_subject"].all()


def test_a_training_eye_under_another_name_is_known_again(mission, phantom_root: Path, tmp_path: Path, caplog):
    learnt = catalog(mission[0]).load("training_3d.fold_1.checkpoint").card.seen["training"][0]
    for path in phantom_root.glob(f"*/*/{learnt}"):
        shutil.copytree(path, tmp_path / path.parents[1].name / path.parent.name / "19999")
    table, _, _ = infer(mission[0], source=tmp_path)
    assert table["learnt_from_copy"].astype(str).tolist() == [learnt]
    assert f"the image of eye 19999 IS THAT OF {learnt}" in caplog.text


def test_one_network_of_maps_reads_one_eye(mission, eyes: Path):
    project, version = mission
    path = f"{ROOT}/06_models/training_2d_two_slabs/fold_2/checkpoint.safetensors/{version}/checkpoint.safetensors"
    subject = sorted(path.name for path in eyes.glob("OCTA_6mm/OCTA/*"))[1]
    table, report, folder = infer(project, source=eyes, name="maps", subject=int(subject), checkpoint=path)
    assert table["subject"].tolist() == [subject]
    assert report["left_out"] == {}
    assert len(report["networks"]) == 1
    assert np.isnan(table["deviation"][0])
    assert nib.load(folder / subject / f"{subject}_image.nii.gz").shape == (32, 32, 2)
    assert nib.load(folder / subject / f"{subject}_map_over_scan.nii.gz").shape[:2] == (44, 44)


def error_of(project: Path, inference: dict) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro wraps what a dataset raises
        run(project, pipeline_names=["inference"], params={"inference": inference})
    found = user_error(caught.value)
    assert isinstance(found, Exception)
    return found


def test_a_wrong_subject_is_named(mission):
    error = error_of(mission[0], {"subject": 99})
    assert isinstance(error, ConfigError)
    assert "inference.subject=99: no such eye" in str(error)


def test_an_encoder_is_refused(mission):
    project, version = mission
    encoder = f"{ROOT}/06_models/pretraining/fold_1/encoder.safetensors/{version}/encoder.safetensors"
    assert "cannot classify" in str(error_of(project, {"checkpoint": encoder}))


def test_without_networks_of_its_own_an_environment_says_so(with_release: Path):
    error = error_of(with_release, {})
    assert isinstance(error, CheckpointError)
    assert "train it in this environment first" in str(error)


REAL = SHARED / "octa500_10225.zip"


@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not there (set OCTA_SHARED_DATA)")
def test_networks_of_the_phantom_warn_of_a_real_eye(mission, tmp_path: Path, caplog):
    shutil.unpack_archive(REAL, tmp_path / "real")
    table, report, _ = infer(mission[0], source=tmp_path / "real")
    assert table["subject"].tolist() == ["10225"]
    assert table["familiar"].tolist() == ["no"]
    assert report["unlike_the_training_eyes"] == ["10225"]
    assert "spacing_z_mm 0.00313, training eyes 0.0156 to 0.0156" in table["unfamiliar_in"][0]
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert any("IS NOT LIKE THE TRAINING EYES" in record.getMessage() for record in warned)


@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not there (set OCTA_SHARED_DATA)")
def test_the_real_eye_is_processed(project: Path, tmp_path: Path):
    shutil.unpack_archive(REAL, tmp_path / "real")
    source = {"source": {"path": str(tmp_path / "real")}}
    unlabelled = {"cohort": {"labelled": False}}
    run(project, pipeline_names=["data_processing"], params=source | unlabelled)
    loaded = catalog(project, params=unlabelled)
    assert loaded.load("cohort_table")["subject"].tolist() == ["10225"]
    assert loaded.load("cohort_table")[["width", "n_bscans", "depth"]].iloc[0].tolist() == [400, 400, 640]
    assert loaded.load("splits").empty
    surfaces = loaded.load("surfaces")["10225"]()
    assert surfaces.note == "estimated"
    thickness = np.median(surfaces.plane("BM") - surfaces.plane("ILM"))
    assert 0.2 < thickness < 0.4
    image = loaded.load("processed_volumes")["10225"]()
    assert image.extent_mm == pytest.approx((3, 3, 0.8))
