"""Every cell of the model table: built, one training step, a gradient everywhere, saved, loaded, the same output."""

from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch.nn.functional import cross_entropy

from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.heads import TrainingOutput, loss_with_auxiliary
from octa_kedro.models.names import NETWORKS_3D
from octa_kedro.models.sizes import SMALLEST_2D

NETWORKS_2D = [
    "vgg16",
    "vgg19",
    "resnet10",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet152",
    "inception_v3",
    *(f"efficientnet_b{n}" for n in range(5)),
    "vit_b32",
    "vit_b16",
    "vit_s16",
    "googlenet",
    "densenet121",
    "mobilenetv3_small_050",
]
HUGE_2D = {"vgg16", "vgg19", "resnet152", "vit_b32", "vit_b16"}
NARROW = 0.125  # of the full width, so that each takes a second or two
SIDES = {"inception_v3": 80, "densenet121": 64}
HUGE = pytest.mark.slow


def cells() -> list[Any]:
    """Configurations and the side of the images they are tried on."""
    cases_2d = [({"name": n, "spatial_dims": 2}, SIDES.get(n, 48), n in HUGE_2D) for n in NETWORKS_2D]
    narrow = [({"name": n, "width": NARROW}, SIDES.get(n, 40), False) for n in NETWORKS_3D]
    full = [({"name": n}, SIDES.get(n, 36), True) for n in NETWORKS_3D]
    others: list[tuple[dict[str, Any], int, bool]] = [
        ({"name": "inception_v3", "width": NARROW, "auxiliary": True, "dropout": 0.3}, 80, False),
        ({"name": "inception_v3", "spatial_dims": 2, "auxiliary": True}, 299, True),
        ({"name": "googlenet", "spatial_dims": 2, "auxiliary": True, "in_channels": 2}, 48, False),
        ({"name": "resnet18", "convolution": "acs", "in_channels": 2}, 32, False),
        ({"name": "resnet50", "convolution": "acs"}, 32, True),
        ({"name": "resnet10t", "convolution": "inflated"}, 32, False),
        ({"name": "densenet121", "convolution": "acs"}, 40, False),
        ({"name": "resnet18", "width": NARROW, "norm": "instance", "norm_stages": True}, 40, False),
        ({"name": "resnet10", "width": NARROW, "norm": "group", "norm_stages": True, "dropout": 0.3}, 40, False),
        ({"name": "vgg16", "width": NARROW, "norm": "group", "in_channels": 3, "classes": 4}, 40, False),
        ({"name": "efficientnet_b0", "width": 0.5, "norm": "instance", "dropout": 0.3}, 40, False),
        ({"name": "densenet121", "width": NARROW, "norm": "group", "dropout": 0.3}, 40, False),
    ]
    chosen = [*cases_2d, *narrow, *full, *others]
    return [
        pytest.param(config, side, id="-".join(map(str, config.values())), marks=[HUGE] if huge else [])
        for config, side, huge in chosen
    ]


@pytest.mark.parametrize(("settings", "side"), cells())
def test_a_cell_of_the_model_table(settings: dict[str, Any], side: int):
    torch.manual_seed(0)
    config = ModelConfig(**settings)
    model = build_model(config).train()
    images = torch.rand((2, config.in_channels, *(side,) * config.spatial_dims))
    targets = torch.tensor([1, 1])  # of one class, or the gradients of the last bias may cancel
    # A small step: batch norm of two images of one cell multiplies gradients by thousands.
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-5)
    # Some start each residual branch at zero, so that a step has to be taken before all of it learns.
    for _ in range(2):
        optimiser.zero_grad()
        output = model(images)
        loss = loss_with_auxiliary(output, lambda logits: cross_entropy(logits, targets))
        assert torch.isfinite(loss)
        loss.backward()
        optimiser.step()
    assert isinstance(output, TrainingOutput) == config.auxiliary
    logits = output.logits if isinstance(output, TrainingOutput) else output
    assert logits.shape == (2, config.classes)
    without = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not without
    dead = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert not dead

    file = save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    again = build_model(ModelConfig.model_validate_json(config.model_dump_json()))
    again.load_state_dict(load(file), strict=True)
    with torch.no_grad():
        expected, found = model.eval()(images), again.eval()(images)
    assert torch.isfinite(expected).all()
    assert torch.equal(expected, found)


def test_the_tables_of_sizes_cover_the_model_table():
    named = {ModelConfig(name=n, spatial_dims=2).canonical_name for n in NETWORKS_2D} - {"mobilenetv3_small_050"}
    assert named == SMALLEST_2D.keys()
