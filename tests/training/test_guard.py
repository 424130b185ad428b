"""Leaks planted in every place that trains or applies a network; each is stopped before anything is computed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.cohort.splits import fold_table
from octa_kedro.errors import DataError, LeakError
from octa_kedro.io.volume import Volume
from octa_kedro.preprocessing.sketch import SKETCH, sketch_views
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored, write_result
from octa_kedro.training.autoencoder import fit_autoencoder
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import AutoencoderConfig, TrainingConfig
from octa_kedro.training.guard import require_fold_unseen, require_images_unseen
from octa_kedro.training.predict import predict_fold
from tests.training.test_training import PROCESSING, changed


def with_role(table: pd.DataFrame, subject: str, role: str) -> pd.DataFrame:
    """The fold table with one more row, in which `subject` has another role too."""
    return pd.concat([table, table[table["subject"] == subject].assign(role=role)], ignore_index=True)


def sharing_a_patient(table: pd.DataFrame, *subjects: str) -> pd.DataFrame:
    return table.assign(patient=[("p" if s in subjects else s) for s in table["subject"]])


def first(table: pd.DataFrame, role: str) -> str:
    return str(table.loc[table["role"] == role, "subject"].iloc[0])


def encoder_of(config: TrainingConfig) -> AutoencoderConfig:
    return AutoencoderConfig(model=config.model, max_epochs=1, device="cpu")


def card_of(table: pd.DataFrame, kind: str = "classifier", **seen: list[str]) -> CheckpointCard:
    train = table.loc[table["role"] == "train", "subject"].tolist()
    return CheckpointCard.model_validate(
        {
            "kind": kind,
            "model": {"name": "resnet10", "widths": [4, 4, 8, 8]},
            "processing": PROCESSING.model_dump(),
            "classes": ["NORMAL", "DISEASED"],
            "fold": 1,
            "epoch": 1,
            "metrics": {},
            "seen": {"training": train} | seen,
            "parameters": {},
            "code_version": "0",
        }
    )


@pytest.mark.parametrize(("role", "by"), [(r, b) for r in ("validation", "held_out") for b in ("subject", "patient")])
def test_a_judged_eye_in_training(volumes, table, config, role: str, by: str):
    judged = first(table, role)
    if by == "subject":
        leaky = with_role(table, judged, "train")
    else:
        leaky = sharing_a_patient(table, judged, first(table, "train"))
    for run in (
        lambda: fit_classifier(volumes, leaky, config, PROCESSING),
        lambda: fit_autoencoder(volumes, leaky, encoder_of(config), PROCESSING),
        lambda: predict_fold(volumes, leaky, Checkpoint({}, card_of(table)), config),
    ):
        with pytest.raises(LeakError, match=rf"fold 1: 1 subject \({judged}\).* seen by its own training"):
            run()


@pytest.mark.parametrize("by", ["subject", "patient"])
def test_a_held_out_eye_that_chooses_the_epoch(volumes, table, config, by: str):
    held_out, validation = first(table, "held_out"), first(table, "validation")
    leaky = (
        with_role(table, held_out, "validation") if by == "subject" else sharing_a_patient(table, held_out, validation)
    )
    with pytest.raises(LeakError, match=rf"fold 1, held out: 1 subject \({held_out}\).* the choice of its epoch"):
        fit_classifier(volumes, leaky, config, PROCESSING)


@pytest.mark.parametrize("role", ["validation", "held_out"])
@pytest.mark.parametrize("by", ["subject", "patient"])
def test_weights_that_were_pretrained_on_a_judged_eye(volumes, table, config, role: str, by: str):
    judged = first(table, role)
    if by == "subject":
        card = card_of(table, "encoder", pretraining=[judged])
    else:
        # Another eye of the judged one's patient, which only the encoder has ever met.
        card = card_of(table, "encoder", pretraining=["other"]).model_copy(update={"patients": {"other": "p"}})
        table = sharing_a_patient(table, judged)
    with pytest.raises(LeakError, match=rf"\({judged}\).* seen by the pre-training"):
        fit_classifier(
            volumes, table, changed(config, start={"weights": "pretraining"}), PROCESSING, Checkpoint({}, card)
        )
    with pytest.raises(LeakError, match=rf"\({judged}\).* seen by its checkpoint"):
        predict_fold(volumes, table, Checkpoint({}, card), config)


def test_a_checkpoint_of_another_fold_or_other_splits(volumes, splits, table, config):
    with pytest.raises(LeakError, match="seen by its checkpoint"):
        predict_fold(volumes, fold_table(splits, 2), Checkpoint({}, card_of(table)), config)
    chosen = card_of(table, validation=[first(table, "held_out")])
    with pytest.raises(LeakError, match=r"held out: 1 subject .* seen by its checkpoint, to choose its epoch"):
        predict_fold(volumes, table, Checkpoint({}, chosen), config)


def test_cards_know_patients(volumes, table, config):
    paired = sharing_a_patient(table, *table.loc[table["role"] == "train", "subject"].iloc[:2])
    card = fit_classifier(volumes, paired, changed(config, max_epochs=1), PROCESSING).checkpoint.card
    one, two = table.loc[table["role"] == "train", "subject"].iloc[:2]
    assert card.patients == {one: "p", two: "p"}
    require_fold_unseen(paired, card, learner="itself")
    assert card.has_learnt_from("new eye", {"new eye": "p"})
    assert not card.has_learnt_from("new eye")
    elsewhere = {one: "q", "new eye": "P", "another": "q"}  # one eye's patient contradicts the card
    assert all(card.has_learnt_from(subject, elsewhere) for subject in (one, "new eye", "another"))
    seen = card.seen_table()
    assert list(seen.columns) == ["fold", "seed", "subject", "patient", "used_for"]
    assert seen["used_for"].value_counts().to_dict() == {"training": 12, "validation": 6}
    assert seen.set_index("subject").loc[one, "patient"] == "p"


def with_sketch(volumes, **views: list[str]):
    """The images, each with a sketch of its own, or the one that is given."""
    return {
        name: Stored(one.path, one.sha256, {**one.meta, SKETCH: views.get(name) or sketch_of(number)})
        for number, (name, one) in enumerate(volumes.items())
    }


def sketch_of(seed: int) -> list[str]:
    array = np.random.default_rng(seed).random((16, 16, 16))
    return sketch_views(Volume(array, np.eye(4), "OCTA", "OD", "eye"))


@pytest.mark.parametrize("role", ["validation", "held_out"])
def test_a_judged_eye_whose_image_was_learnt_under_another_name(volumes, table, config, role: str):
    judged = first(table, role)
    images = with_sketch(volumes)
    card = card_of(table).model_copy(update={"sketches": {"twin": images[judged].meta[SKETCH][0]}})
    with pytest.raises(LeakError, match=f"the image of {judged} is that of twin, which was seen by its checkpoint"):
        predict_fold(
            images, table, Checkpoint({}, card), TrainingConfig.model_validate({"model": {"name": "resnet10"}})
        )
    require_images_unseen(images, table, card.model_copy(update={"patients": {"twin": judged}}), learner="x")
    require_images_unseen(images, table, card.model_copy(update={"sketches": {"other": sketch_of(99)[0]}}), learner="x")


@pytest.mark.parametrize("moved", [0, 2])
def test_a_judged_eye_that_is_nearly_a_training_eye_is_marked_also_where_it_is_moved(tmp_path: Path, moved: int):
    """Moved by two voxels, its sketch alone would let it pass."""
    rng = np.random.default_rng(3)
    array = blobs(rng)
    near = np.roll(array, moved, axis=0) + rng.uniform(0, 0.1, array.shape).astype(np.float32)
    assert marked(tmp_path, array, near) == {"near": "learnt"}


def test_an_eye_that_is_only_like_a_training_eye_counts_and_is_named(tmp_path: Path, caplog):
    rng = np.random.default_rng(3)
    common, one, other = (np.kron(rng.random((8, 8, 12)), np.ones((4, 4, 4))).astype(np.float32) for _ in range(3))
    assert marked(tmp_path, common + 0.35 * one, common + 0.35 * other) == {}
    assert "1 images are like ones that were seen by" in caplog.text


def test_the_near_copy_behind_an_eye_of_the_same_patient_is_found(tmp_path: Path):
    """The image that is most alike is the patient's own, which counts for nothing."""
    rng = np.random.default_rng(3)
    array = blobs(rng)
    arrays = {"own": array, "learnt": array + rng.uniform(0, 0.1, array.shape).astype(np.float32), "near": array}
    images = {name: stored_image(tmp_path, name, one / one.max()) for name, one in arrays.items()}
    table = pd.DataFrame({"subject": list(arrays), "role": ["train", "train", "held_out"], "fold": 1})
    table["patient"] = ["p", "q", "p"]
    sketches = {name: images[name].meta[SKETCH][0] for name in ("own", "learnt")}
    card = card_of(table).model_copy(update={"sketches": sketches})
    assert require_images_unseen(images, table, card, learner="x") == {"near": "learnt"}


def twins(folder: Path, table: pd.DataFrame, volumes: Mapping[str, Stored], *judged: str) -> dict[str, Stored]:
    """The images, those of the judged eyes being near copies of that of a training eye."""
    rng = np.random.default_rng(3)
    array = blobs(rng)[:, :, :32]
    images = with_sketch(volumes) | {first(table, "train"): stored_image(folder, "learnt", array / array.max())}
    for name in judged:
        near = array + rng.uniform(0, 0.1, array.shape).astype(np.float32)
        images[name] = stored_image(folder, name, near / near.max())
    return images


def test_a_near_copy_of_a_training_eye_chooses_no_epoch(tmp_path: Path, volumes, table, config, caplog):
    """It is in no metric, and so it is in none of those that choose: not in the history, which a search reads."""
    judged = first(table, "validation")
    short = changed(config, max_epochs=1)
    images = twins(tmp_path, table, volumes, judged)
    made = fit_classifier(images, table, short, PROCESSING)
    assert f"the image of {judged} is that of {first(table, 'train')}" in caplog.text
    without = fit_classifier(images, table[table["subject"] != judged], short, PROCESSING)
    assert judged not in made.checkpoint.card.seen["validation"]
    assert made.history["val_loss"].tolist() == without.history["val_loss"].tolist()
    other = fit_classifier({**images, judged: with_sketch(volumes)[judged]}, table, short, PROCESSING)
    assert judged in other.checkpoint.card.seen["validation"]
    assert made.history["val_loss"].tolist() != other.history["val_loss"].tolist()


def test_a_class_of_near_copies_is_refused_before_training(tmp_path: Path, volumes, table, config):
    ill = table.loc[(table["role"] == "validation") & (table["target"] == 1), "subject"]
    with pytest.raises(DataError, match=r"fold 1: all validation eyes of class .* are near copies of eyes"):
        fit_classifier(twins(tmp_path, table, volumes, *ill), table, config, PROCESSING)


def blobs(rng: np.random.Generator) -> np.ndarray:
    """Structure of several sizes, with values up to .8."""
    sizes = [np.kron(rng.random((32 // n, 32 // n, 48 // n)), np.ones((n, n, n))) for n in (16, 8, 4)]
    return np.mean(sizes, axis=0, dtype=np.float32) * 0.8


def marked(folder: Path, learnt: np.ndarray, near: np.ndarray) -> dict[str, str]:
    arrays = {"learnt": learnt, "near": near}
    images = {name: stored_image(folder, name, one / one.max()) for name, one in arrays.items()}
    table = pd.DataFrame({"subject": ["learnt", "near"], "role": ["train", "held_out"], "fold": 1})
    card = card_of(table).model_copy(update={"sketches": {"learnt": images["learnt"].meta[SKETCH][0]}})
    return require_images_unseen(images, table, card, learner="x")


def stored_image(folder: Path, name: str, array: np.ndarray) -> Stored:
    volume = Volume(array, np.diag([0.1, 0.1, 0.05, 1.0]), "OCTA", "OD", name)
    note = write_result(folder / f"{name}.nii", Result(volume, unit=True, facts={SKETCH: sketch_views(volume)}))
    return Stored(folder / f"{name}.nii", note["sha256"], note["meta"])


def test_the_card_keeps_the_sketches_of_what_was_learnt(volumes, table, config):
    images = with_sketch(volumes)
    card = fit_classifier(images, table, config, PROCESSING).checkpoint.card
    train = table.loc[table["role"] == "train", "subject"]
    assert card.sketches == {name: images[name].meta[SKETCH][0] for name in train}
    assert card.learnt_copy_of(images[train.iloc[1]].meta[SKETCH]) == (train.iloc[1], pytest.approx(1, abs=1e-6))
