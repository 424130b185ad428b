"""Guided backpropagation finds every ReLU, refuses what it is not defined for, and leaves the network as it was."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.guided import guided_backprop
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.request import MapRequest
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from tests.explain.networks import BlobCounter

KINDS = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "function": functional.relu,
    "function in place": lambda x: functional.relu(x, inplace=True),
    "function in place, by position": lambda x: functional.relu(x, True),
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
}


class Layered(nn.Module):
    """Two layers with an activation after each; `residual` adds what the second activation was given."""

    def __init__(self, activation: object, residual: bool = False) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second, self.residual = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1), residual
        self.fc = nn.Linear(4, 2)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
        self.activation = activation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.second(self.activation(self.first(images)))
        active = self.activation(features)
        return self.fc((active + features if self.residual else active).mean((2, 3)))


def asked(model: nn.Module) -> MapRequest:
    return MapRequest(model.eval(), ExplainConfig(), (0.01, 0.01))


def picture() -> torch.Tensor:
    return torch.rand(1, 1, 6, 9, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_call_a_relu_is_guided(kind: str):
    expected = guided_backprop(asked(Layered(nn.ReLU())), picture())
    found = guided_backprop(asked(Layered(KINDS[kind])), picture())
    np.testing.assert_array_equal(found, expected)
    model, at = Layered(nn.ReLU()), picture().requires_grad_()
    (plain,) = torch.autograd.grad(asked(model).margin(at).sum(), at)
    assert not np.allclose(found, plain[0, 0].numpy())


def test_a_relu_in_place_changes_what_is_added_to_it_as_without_guidance():
    """With one in place, features and active are one tensor: the margin must stay that of the network."""
    model, image = Layered(nn.ReLU(inplace=True), residual=True).eval(), picture()
    before = model(image)
    guided_backprop(asked(model), image)
    assert torch.equal(model(image), before)
    doubled = guided_backprop(asked(model), image)
    np.testing.assert_allclose(doubled, 2 * guided_backprop(asked(Layered(nn.ReLU())), image), rtol=1e-5)


def test_the_network_is_untouched_also_after_an_error():
    class Broken(Layered):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            super().forward(images)
            raise ValueError("broken")

    model = Broken(nn.ReLU())
    before, attributes = [*model.modules()], [set(vars(m)) for m in model.modules()]
    with pytest.raises(ValueError, match="broken"):
        guided_backprop(asked(model), picture())
    assert [*model.modules()] == before
    assert [set(vars(m)) for m in model.modules()] == attributes
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in model.modules())
    at = torch.tensor([1.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(-functional.relu(at).sum(), at)
    assert gradient.tolist() == [-1, -1]  # a ReLU is a ReLU again


@pytest.mark.parametrize("method", ["guided_backprop", "guided_grad_cam"])
@pytest.mark.parametrize(
    ("settings", "shape", "why"),
    [
        ({"name": "vit_s16", "width": 0.125}, (16, 32, 48), "VisionTransformer3D has the activation gelu"),
        ({"name": "efficientnet_b0", "width": 0.25}, (32, 40, 48), "EfficientNet has no ReLU"),
        ({"name": "efficientnet_b0", "spatial_dims": 2}, (32, 40), "EfficientNet has the activation silu"),
    ],
)
def test_a_network_that_cannot_have_it_is_named(method: str, settings: dict, shape: tuple[int, ...], why: str):
    model = build_model(ModelConfig(**settings)).eval()
    request = MapRequest(model, ExplainConfig(), (0.01,) * len(shape))
    with pytest.raises(ConfigError, match=f"methods that this network cannot have: {why}"):
        METHODS[method](request, torch.rand((1, 1, *shape)))


def test_no_evidence_is_an_empty_map_and_a_network_that_does_not_look_is_refused():
    image = torch.ones(1, 1, 12, 12)
    against = MapRequest(BlobCounter(2).eval(), ExplainConfig(target_class=0), (0.01, 0.01))
    assert not guided_backprop(against, image).any()  # brightness speaks against class 0: nothing passes
    blind = BlobCounter(2).eval()
    nn.init.zeros_(blind.fc.weight)
    with pytest.raises(CheckpointError, match="does not depend on the image"):
        guided_backprop(asked(blind), image)


@pytest.mark.parametrize("name", ["guided_backprop", "guided_grad_cam"])
def test_its_warning_is_in_the_table(name: str):
    assert "fails the weight randomisation test (Adebayo et al. 2018)" in (METHODS[name].warning or "")
