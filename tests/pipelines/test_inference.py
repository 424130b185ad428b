"""One eye at a time: with a trained checkpoint, without a label."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.hooks import find_user_error
from tests.conftest import SHARED
from tests.pipelines.conftest import catalog, run


def one_eye(phantom_root: Path, folder: Path) -> str:
    """A folder with the scans of a single eye: no label sheet, no layers."""
    source = next(phantom_root.glob("OCTA_6mm/OCTA/*"))
    for modality in ("OCT", "OCTA"):
        shutil.copytree(source.parents[1] / modality / source.name, folder / "OCTA_6mm" / modality / source.name)
    return source.name


def weights_of(mission: tuple[Path, str], model: str) -> Path:
    trained, version = mission
    return trained / f"data/test/06_models/{model}/fold_2/checkpoint.safetensors" / version / "checkpoint.safetensors"


def output(project: Path, name: str) -> Path:
    return next((project / "data/test/inference" / "*").glob(f"*/{name}"))


@pytest.mark.parametrize("model", ["training_3d", "training_2d_two_slabs"])
def test_an_unlabelled_eye_gets_probability_map_and_figure(
    mission, project: Path, phantom_root: Path, tmp_path: Path, model: str
):
    subject = one_eye(phantom_root, tmp_path / "eye")
    params = {"source": {"path": str(tmp_path / "eye")}, "inference": {"checkpoint": str(weights_of(mission, model))}}
    run(project, pipeline_names=["inference"], params=params)
    prediction = json.loads(output(project, "prediction.json").read_text())
    assert prediction["subject"] == subject
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert prediction["surfaces"] == "estimated"
    image, heat = (nib.load(output(project, f"{name}.nii.gz")) for name in ("image", "map"))
    assert heat.shape[:2] == image.shape[:2] == (32, 32)
    np.testing.assert_allclose(heat.affine, image.affine)
    assert heat.get_fdata().min() >= 0
    assert output(project, "figure.png").stat().st_size > 10_000


def test_inference_repeats_the_prediction_of_the_mission(mission):
    project, _ = mission
    splits = catalog(project).load("splits")
    subject = splits.loc[splits["held_out"], "subject"].iloc[0]
    run(project, pipeline_names=["inference"], params={"inference": {"subject": subject}})
    prediction = json.loads(
        sorted((project / "data/test/07_model_output/inference").glob("prediction.json/*/*"))[-1].read_text()
    )
    table = catalog(project).load("training_3d.fold_1.predictions").set_index("subject")
    # What the mission read had been rounded to 16 bits.
    assert prediction["probabilities"]["DISEASED"] == pytest.approx(table.loc[subject, "probability"], abs=1e-3)
    assert prediction["learnt_from_this_subject"] is False


def user_error(project: Path, params: dict) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro wraps what a dataset raises
        run(project, pipeline_names=["inference"], params=params)
    found = find_user_error(caught.value)
    assert isinstance(found, Exception)
    return found


def test_wrong_subject_and_wrong_checkpoint_are_named(mission):
    project, version = mission
    error = user_error(project, {"inference": {"subject": 99}})
    assert isinstance(error, ConfigError)
    assert "inference.subject=99: no such eye" in str(error)
    assert "name one with --params" in str(user_error(project, {}))
    missing = user_error(project, {"inference": {"subject": "10001", "checkpoint": "no/where.safetensors"}})
    assert isinstance(missing, CheckpointError)
    assert "no/where.safetensors" in str(missing)
    encoder = project / "data/test/06_models/pretraining/fold_1/encoder.safetensors" / version / "encoder.safetensors"
    wrong = user_error(project, {"inference": {"subject": "10001", "checkpoint": str(encoder)}})
    assert "cannot classify" in str(wrong)


REAL = SHARED / "octa500_10225.zip"


@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not there (set OCTA_SHARED_DATA)")
def test_the_real_eye_is_processed_and_read(mission, project: Path, tmp_path: Path):
    shutil.unpack_archive(REAL, tmp_path / "real")
    source = {"source": {"path": str(tmp_path / "real")}}
    checkpoint = {"inference": {"checkpoint": str(weights_of(mission, "training_3d"))}}
    run(project, pipeline_names=["inference"], params=source | checkpoint)
    assert json.loads(output(project, "prediction.json").read_text())["subject"] == "10225"
    run(project, pipeline_names=["data_processing"], params=source | {"cohort": {"labelled": False}})
    loaded = catalog(project)
    assert loaded.load("cohort_table")["subject"].tolist() == ["10225"]
    assert loaded.load("cohort_table")[["width", "n_bscans", "depth"]].iloc[0].tolist() == [400, 400, 640]
    assert loaded.load("splits").empty
    surfaces = loaded.load("surfaces")["10225"]()
    assert surfaces.note == "estimated"
    thickness = np.median(surfaces.plane("BM") - surfaces.plane("ILM"))
    assert 0.2 < thickness < 0.4
    image = loaded.load("processed_volumes")["10225"]()
    assert image.extent_mm == pytest.approx((3, 3, 0.8))
