"""Which class a map explains: by index, by name, or the one that an eye is predicted to be."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.explain import explainer as explainer_module
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.context import Context
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.making import MAP, map_parts
from octa_kedro.explain.predicted import called_class, mean_over_networks, predicted_map_parts
from octa_kedro.explain.target import class_index, tell_number
from octa_kedro.explain.titles import explained_words
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.models.config import ModelConfig
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from tests.explain.networks import BlobCounter
from tests.training.conftest import store_items

CLASSES = ("NORMAL", "DISEASED")
SHAPE = (16, 20, 24)


class Biased(nn.Module):
    """A blob counter that speaks for class 1 by `bias` more."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.counter = BlobCounter(3)
        self.layer1, self.bias = self.counter.layer1, bias

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.counter(images) + torch.tensor([-self.bias / 2, self.bias / 2])


def explainers(monkeypatch: pytest.MonkeyPatch, *biases: float, **settings: Any) -> list[Explainer]:
    models = {fold: Biased(bias).eval() for fold, bias in enumerate(biases)}
    monkeypatch.setattr(explainer_module, "restore_model", lambda checkpoint: models[checkpoint.card.fold])
    card = CheckpointCard(
        kind="classifier", model=ModelConfig(name="resnet10"), processing=ProcessingConfig(), classes=CLASSES, fold=0,
        epoch=1, metrics={}, seen={}, parameters={}, code_version="test",
    )  # fmt: skip
    config = ExplainConfig(device="cpu", **settings)
    return [Explainer(Checkpoint({}, card.model_copy(update={"fold": fold})), config) for fold in models]


@pytest.fixture
def image(tmp_path: Path) -> Any:
    array = np.zeros(SHAPE, np.float32)
    array[6:10, 8:12, 10:14] = 1
    return store_items(tmp_path, {"eye": Volume(array, scan_affine(SHAPE, (1.6, 2.0, 0.24)), "OCTA", source="eye")})[
        "eye"
    ]


@pytest.mark.parametrize(("target", "index"), [(0, 0), (1, 1), ("DISEASED", 1), ("NORMAL", 0), ("predicted", None)])
def test_a_class_goes_by_index_name_or_prediction(target: int | str, index: int | None):
    assert class_index(target, CLASSES) == index


@pytest.mark.parametrize("target", [2, "DISEASE", "1"])
def test_an_unknown_class_is_answered_by_those_that_there_are(target: int | str):
    words = f"target_class is {target}, but the network has the classes NORMAL, DISEASED, counted from 0"
    with pytest.raises(ConfigError, match=words):
        class_index(target, CLASSES)


def test_a_class_whose_name_is_that_of_a_setting_is_asked_for_by_index():
    with pytest.raises(ConfigError, match="a class is named predicted; give its index"):
        class_index("predicted", ("NORMAL", "predicted"))


def test_names_that_are_numbers_are_names_when_written_as_text():
    assert class_index("1", ("1", "0")) == 0
    assert class_index(1, ("1", "0")) == 1


def test_an_index_that_is_the_name_of_another_class_is_told(caplog):
    for target, classes in ((1, ("0", "1")), (1, ("NORMAL", "DR")), ("1", ("1", "0"))):
        tell_number(target, classes)
    assert not caplog.text
    tell_number(1, ("1", "2"))
    assert "target_class 1 is an index: maps are evidence for the class 2, not for the class named 1" in caplog.text


def test_a_class_that_is_spelt_otherwise_is_refused_with_its_spelling():
    with pytest.raises(ConfigError, match="there is no 'diseased', it may mean 'DISEASED'"):
        class_index("diseased", CLASSES)


@pytest.mark.parametrize(
    ("mean", "threshold", "index"),
    [([0.6, 0.4], 0.5, 0), ([0.6, 0.4], 0.4, 1), ([0.2, 0.3, 0.5], 0.9, 2), ([0.4, 0.3, 0.3], 0.1, 0)],
)
def test_an_eye_is_called_as_evaluation_calls_it(mean: list[float], threshold: float, index: int):
    assert called_class(np.asarray(mean), threshold) == index


def test_the_mean_of_the_networks_decides_not_each_of_them():
    shares = np.asarray([[0.1, 0.9], [0.6, 0.4], [0.6, 0.4]])
    assert mean_over_networks(shares)[1] == pytest.approx(1.7 / 3)
    three = np.asarray([[0.2, 0.3, 0.5], [0.4, 0.5, 0.1]])
    np.testing.assert_allclose(mean_over_networks(three), [0.3, 0.4, 0.3])


def test_all_networks_explain_the_class_that_their_mean_predicts(monkeypatch: pytest.MonkeyPatch, image: Any):
    """The first network alone says NORMAL, for which brightness is no evidence."""
    found = explainers(monkeypatch, -1.0, 6.0, target_class="predicted", method_3d="gradient_x_input")
    result = predicted_map_parts(found, 0.5, image, Context(), [MAP])[MAP]
    assert (result.facts["explained"], result.facts["explained_class"]) == (1, "DISEASED")
    expected = np.mean([one.explain(image(), 1).array for one in found], axis=0)
    np.testing.assert_array_equal(result.item.array, expected)
    assert result.item.array.max() > 0


def test_a_higher_threshold_explains_the_negative_class(monkeypatch: pytest.MonkeyPatch, image: Any):
    found = explainers(monkeypatch, 0.5, target_class="predicted", method_3d="gradient_x_input")
    normal, diseased = (
        predicted_map_parts(found, threshold, image, Context(), [MAP])[MAP] for threshold in (0.99, 0.5)
    )
    assert normal.facts["explained_class"] == "NORMAL"
    assert not normal.item.array.any()  # brightness is evidence against it
    assert diseased.item.array.any()


def test_a_name_explains_its_class(monkeypatch: pytest.MonkeyPatch, image: Any):
    (by_name,) = explainers(monkeypatch, 0.0, target_class="DISEASED")
    (by_index,) = explainers(monkeypatch, 0.0, target_class=1)
    np.testing.assert_array_equal(by_name.explain(image()).array, by_index.explain(image()).array)
    said = by_name.describe(image())
    assert (said["target_class"], said["classes"]) == (1, ["NORMAL", "DISEASED"])
    assert explained_words(said) == "evidence for the class DISEASED"


def test_a_map_of_one_network_needs_to_know_which_class_was_predicted(monkeypatch: pytest.MonkeyPatch, image: Any):
    (explainer,) = explainers(monkeypatch, 0.0, target_class="predicted")
    with pytest.raises(ConfigError, match="a map needs the index of its class"):
        explainer.explain(image())
    said = explainer.describe(image())
    assert said["target_class"] == "predicted"
    assert explained_words(said).startswith("of each eye evidence for the class that it is predicted to be")


def test_a_map_of_a_fixed_class_says_which(monkeypatch: pytest.MonkeyPatch, image: Any):
    found = explainers(monkeypatch, -9.0, target_class="DISEASED")
    result = map_parts(found, 1, image, Context(), [MAP])[MAP]
    assert result.facts == {"explained": 1, "explained_class": "DISEASED"}  # though NORMAL is predicted


def test_an_empty_map_names_its_class(monkeypatch: pytest.MonkeyPatch, image: Any, caplog: pytest.LogCaptureFixture):
    (explainer,) = explainers(monkeypatch, 0.0, target_class="NORMAL", method_3d="gradient_x_input")
    with caplog.at_level(logging.WARNING):
        explainer.explain(image())
    assert "no voxel speaks for the class NORMAL" in caplog.text


def test_what_speaks_against_a_method_and_its_layer_is_in_its_description(monkeypatch: pytest.MonkeyPatch, image: Any):
    (explainer,) = explainers(monkeypatch, 0.0, method_3d="guided_grad_cam")
    assert "guided Grad-CAM fails the weight randomisation test" in explainer.describe(image())["note"]
    assert "fewer than 4" not in explainer.describe(image())["note"]
    flat = image().with_array(image().array[:12, :12, :12])
    assert "layer1 has 3 x 3 x 3 cells (depth, y, x), fewer than 4" in explainer.describe(flat)["note"]
    (plain,) = explainers(monkeypatch, 0.0)
    assert plain.describe(image())["note"] == ""
