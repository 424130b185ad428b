"""Maps of 2D networks that see an eye in patches, and questions a checkpoint cannot be asked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain import explainer as explainer_module
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.explainer import Explainer
from octa_kedro.io.volume import PlaneStack, scan_affine
from octa_kedro.models.config import ModelConfig
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.predict import class_probabilities
from tests.explain.networks import BlobCounter
from tests.training.conftest import store_items

PATCHES = PatchConfig(n=2, size=24, match_contrast=False)


def checkpoint(**changes: Any) -> Checkpoint:
    card: dict[str, Any] = {
        "kind": "classifier",
        "model": ModelConfig(name="resnet10t", spatial_dims=2),
        "processing": ProcessingConfig(),
        "slabs": ("ILM_OPL",),
        "classes": ("NORMAL", "DISEASED"),
        "fold": 1,
        "epoch": 1,
        "metrics": {},
        "seen": {},
        "parameters": {},
        "code_version": "test",
    }
    return Checkpoint({}, CheckpointCard(**(card | changes)))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    model = BlobCounter(2).eval()
    monkeypatch.setattr(explainer_module, "restore_model", lambda _checkpoint: model)
    return model


def plane_with_blob(x: int, y: int) -> PlaneStack:
    plane = np.zeros((48, 48, 1), np.float32)
    plane[x - 2 : x + 3, y - 2 : y + 3] = 1
    return PlaneStack(plane, scan_affine((48, 48, 1), (3.0, 3.0, 1.0)), ("ILM_OPL",), "OD", "eye")


@pytest.mark.parametrize("at", [(12, 12), (36, 12), (12, 36), (36, 36)])
def test_the_maps_of_patches_are_put_together_where_the_patches_were(network: nn.Module, at: tuple[int, int]):
    explainer = Explainer(checkpoint(patches=PATCHES), ExplainConfig(device="cpu"))
    image = plane_with_blob(*at)
    heat = explainer.explain(image)
    assert heat.array.shape == image.array.shape
    peak = np.unravel_index(heat.array.argmax(), heat.array.shape)
    assert np.abs(np.array(peak[:2]) - at).max() <= 3
    np.testing.assert_allclose(heat.affine, image.affine)


def test_the_probability_of_an_eye_is_the_mean_of_its_patches(network: nn.Module, tmp_path: Path):
    image = store_items(tmp_path, {"eye": plane_with_blob(12, 12)})
    found = class_probabilities(network, checkpoint(patches=PATCHES).card, image, ["eye"], device="cpu")
    pieces = torch.zeros(4, 1, 24, 24)
    pieces[0, 0, 10:15, 10:15] = 1
    expected = torch.softmax(network(pieces), 1).mean(0)
    assert found[0] == pytest.approx(expected.tolist(), abs=1e-5)


def test_cells_are_measured_once_for_eyes_of_one_shape(network: nn.Module):
    passes: list[tuple[int, ...]] = []
    network.register_forward_hook(lambda _module, inputs, _out: passes.append(tuple(inputs[0].shape)))
    explainer = Explainer(checkpoint(), ExplainConfig(device="cpu"))
    image = plane_with_blob(12, 12)
    for eye in (image, image, replace(image, array=image.array[:40])):
        explainer.explain(eye)
    assert passes == [(1, 1, 48, 48)] * 3 + [(1, 1, 48, 40)] * 2


def test_a_class_that_the_network_has_not_cannot_be_explained(network: nn.Module):
    explainer = Explainer(checkpoint(), ExplainConfig(device="cpu", target_class=2))
    with pytest.raises(ConfigError, match="target_class is 2, but the network has the classes NORMAL, DISEASED"):
        explainer.explain(plane_with_blob(12, 12))


def test_a_map_that_holds_no_numbers_is_refused(network: nn.Module):
    explainer = Explainer(checkpoint(), ExplainConfig(device="cpu"))
    image = plane_with_blob(12, 12)
    image.array[3, 3] = np.nan
    with pytest.raises(DataError, match="eye, network of fold 1: its Grad-CAM map holds NaN"):
        explainer.explain(image)
