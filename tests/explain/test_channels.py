"""Score-CAM and Ablation-CAM on every family of networks, in batches."""

import numpy as np
import pytest
import torch
from torch import nn

from octa_kedro.explain import channels
from octa_kedro.explain.channels import ablation_cam, score_cam
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import measure_layers
from octa_kedro.explain.request import MapRequest
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from tests.explain.networks import BlobCounter, request

FAMILIES = [
    ({"name": "vit_s16", "width": 0.125}, (16, 48, 32)),
    ({"name": "cv3fc2"}, (16, 24, 32)),
    ({"name": "densenet121", "width": 0.125}, (32, 40, 48)),
    ({"name": "efficientnet_b0", "width": 0.25}, (32, 40, 48)),
    ({"name": "resnet10", "widths": (4, 4, 8, 8)}, (16, 24, 32)),
    ({"name": "resnet10t", "spatial_dims": 2}, (48, 32)),
]


@pytest.mark.parametrize("method", [score_cam, ablation_cam])
@pytest.mark.parametrize(("settings", "shape"), FAMILIES)
def test_every_family_has_a_map_and_keeps_no_hooks(method, settings: dict, shape: tuple[int, ...]):
    torch.manual_seed(0)
    model = build_model(ModelConfig(**settings)).eval()
    layer = measure_layers(model, (1, *shape), (0.01,) * len(shape))[0]
    heat = method(MapRequest(model, ExplainConfig(), (0.01,) * len(shape), [layer]), torch.rand((1, 1, *shape)))
    assert heat.shape == shape
    assert np.isfinite(heat).all()
    assert heat.min() >= 0
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize(("method", "passes"), [(score_cam, 1 + 1 + 2), (ablation_cam, 1 + 1 + 2)])
def test_channels_go_through_the_network_in_batches(method, passes: int):
    """The image, the black image or the whole one again, and 8 channels in batches of 4."""
    model = build_model(ModelConfig(name="resnet10", widths=(8, 8, 8, 8))).eval()
    asked, calls = request(model, (1, 12, 20, 16)), []
    model.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "BATCH", 4)
        method(asked, torch.rand(1, 1, 12, 20, 16, generator=torch.Generator().manual_seed(0)))
    assert len(calls) == passes
    assert max(calls) == 4


def test_the_sign_of_an_ablation_map_does_not_turn_where_the_margin_is_negative():
    """Divided by the margin, as in the paper, evidence for the class would be lost in every eye that lacks it."""
    model = BlobCounter(2).eval()
    image = torch.zeros(1, 1, 24, 24)
    image[..., 8:13, 8:13] = 1
    for bias in (-5.0, 0.0, 5.0):
        model.fc.bias = nn.Parameter(torch.tensor([0.0, bias]))
        heat = ablation_cam(request(model, (1, 24, 24)), image)
        peak = np.unravel_index(heat.argmax(), heat.shape)
        assert np.abs(np.array(peak) - 10).max() <= 3
