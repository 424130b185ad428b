"""Stages: frozen ones stay as they are, and cells lie where they are said to."""

import copy
import pickle

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import cross_entropy

from octa_kedro.errors import ConfigError
from octa_kedro.models.autoencoder import Autoencoder
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.heads import loss_with_auxiliary
from octa_kedro.models.stages import cells_of, freeze, stages
from octa_kedro.models.start import start_model
from octa_kedro.models.start_config import StartConfig

NARROW = {"width": 0.125}
FREEZABLE = [
    ({"name": "resnet10", **NARROW}, 2, "layer3", "layer2"),
    ({"name": "vgg16", **NARROW}, 1, "features.7", "features.4"),
    ({"name": "inception_v3", **NARROW, "auxiliary": True}, 4, "Mixed_7a", "Mixed_6e"),
    ({"name": "efficientnet_b0", "width": 0.5}, 3, "_blocks.3", "_blocks.2"),
    ({"name": "densenet121", **NARROW}, 1, "features.transition1", "features.denseblock1"),
    ({"name": "vit_s16", **NARROW}, 3, "blocks.3", "blocks.2"),
    ({"name": "cv3fc2"}, 2, "stages.2", "stages.1"),
    ({"name": "resnet18", "spatial_dims": 2}, 3, "layer4", "layer3"),
    ({"name": "vit_tiny_patch16_224", "spatial_dims": 2}, 2, "blocks.2", "blocks.1"),
    ({"name": "googlenet", "spatial_dims": 2, "auxiliary": True}, 2, "network.inception5a", "network.inception4e"),
    ({"name": "resnet10t", "convolution": "acs"}, 1, "layer2", "layer1"),
]


@pytest.mark.parametrize(("settings", "through", "free", "last"), FREEZABLE)
def test_frozen_stages_do_not_change(settings: dict, through: int, free: str, last: str):
    torch.manual_seed(0)
    config = ModelConfig(**settings)
    model = build_model(config)
    frozen = start_model(model, config, StartConfig(frozen_stages=through)).frozen
    assert any(name.startswith(f"{last}.") for name in frozen)
    assert not any(name.startswith(f"{free}.") for name in frozen)
    assert not any("Aux" in name or "aux" in name for name in frozen)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.train()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01, weight_decay=0.1)
    side = 80 if "inception" in config.name else 48
    images = torch.rand((2, 1, *(side,) * config.spatial_dims))
    loss_with_auxiliary(model(images), lambda logits: cross_entropy(logits, torch.tensor([1, 1]))).backward()
    optimiser.step()
    owners = {name.rpartition(".")[0] for name in frozen}
    after = model.state_dict()
    changed = {k for k, v in after.items() if not torch.equal(before[k], v)}
    # Parameters and, in the same modules, statistics and counters of batch norm.
    assert not {k for k in changed if k.rpartition(".")[0] in owners}
    assert {n for n, p in model.named_parameters() if p.requires_grad and p.grad is not None} >= {
        n for n, _ in model.named_parameters() if n not in frozen
    }
    assert any(k.startswith(f"{free}.") for k in changed)
    assert all(not model.get_submodule(o).training for o in owners if o)
    model.eval()
    model.train()
    assert all(not model.get_submodule(o).training for o in owners if o)


def test_a_frozen_network_can_be_copied_and_pickled():
    model = build_model(ModelConfig(name="resnet10", **NARROW))
    freeze(model, 2)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        copied.train()
        assert copied.layer3.training
        assert not copied.layer2.training
        assert not copied.layer2.train().training
        assert copied.layer2.train.args[0] is copied.layer2


def test_nothing_is_frozen_unless_asked_and_stages_that_are_not_there_are_refused():
    model = build_model(ModelConfig(name="cv3fc2"))
    assert freeze(model, 0) == ()
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ConfigError, match="has 3 stages, so 4 cannot"):
        freeze(model, 4)
    with pytest.raises(ConfigError, match="has 0 stages"):
        freeze(nn.Linear(2, 2), 1)


def averaging(model: nn.Module) -> nn.Module:
    """Convolutions to means over space and channels, poolings to means, norms and activations to nothing."""
    for path, module in [*model.named_modules()]:
        parent, _, leaf = path.rpartition(".")
        owner = model.get_submodule(parent)
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.modules.batchnorm._NormBase) or type(module).__name__ in {"ReLU", "BatchNormAct2d"}:
            setattr(owner, leaf, nn.Identity())
        elif isinstance(module, nn.MaxPool2d):
            setattr(owner, leaf, nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode))
        elif isinstance(module, nn.MaxPool3d):
            setattr(owner, leaf, nn.AvgPool3d(module.kernel_size, module.stride, module.padding))
    return model


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ({"name": "vgg16", "width": 0.05}, 96),
        ({"name": "cv5fc2"}, 96),
        ({"name": "inception_v3", "width": 0.02}, 139),
        ({"name": "densenet121", "width": 0.05}, 128),
        ({"name": "inception_v3", "spatial_dims": 2}, 299),
        ({"name": "vgg11", "spatial_dims": 2}, 256),
        ({"name": "densenet121", "spatial_dims": 2}, 256),
        ({"name": "googlenet", "spatial_dims": 2}, 256),
    ],
)
def test_cells_lie_where_they_are_said_to(settings: dict, side: int):
    """On a ramp along one axis, an average is the position of its centre, away from the padded border."""
    config = ModelConfig(**settings)
    model = averaging(build_model(config)).eval()
    known = cells_of(model)
    assert known.keys() == stages(model).keys()
    found = {}
    for name, module in stages(model).items():
        module.register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out.detach().clone()}))
    ramp = torch.arange(side, dtype=torch.float32).view((1, 1, side, *(1,) * (config.spatial_dims - 1)))
    across = (75 if "inception" in config.name else 48,) * (config.spatial_dims - 1)
    outputs = []
    with torch.no_grad():
        for images in (torch.ones_like(ramp), ramp, ramp.flip(2)):
            model(images.expand(1, 1, side, *across).clone())
            outputs.append({name: output[0, 0] for name, output in found.items()})
    ones, up, down = outputs
    for name, cells in known.items():
        # Padded zeros pull a mean down as they pull down that of ones; a maximum, where one was left in, is as far
        # ahead on the way up as on the way down. Both are taken out.
        rising, falling = ((one[name] / ones[name]).flatten(1).mean(1) for one in (up, down))
        along = (rising - falling + side - 1) / 2
        middle = len(along) // 2
        tolerance = 0.1 if len(along) > 8 else 0.26 * cells.stride
        assert float(along[middle]) == pytest.approx(middle * cells.stride + cells.offset, abs=tolerance), name


def test_autoencoders_are_for_resnets():
    with pytest.raises(ConfigError, match="choose a 3D ResNet"):
        Autoencoder(ModelConfig(name="vgg16"))
    model = Autoencoder(ModelConfig(name="resnet50", widths=(2, 4, 4, 8)))
    assert model(torch.rand(2, 1, 32, 40, 33)).shape == (2, 1, 32, 40, 33)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "resnet81"}, r"no 3D network 'resnet81'; near it: resnet18"),
        ({"name": "inceptionv3"}, "near it: inception_v3"),
        ({"name": "rsenet18", "spatial_dims": 2}, "near it: resnet18"),
        ({"name": "qqq"}, "near it: resnet10, resnet18"),
        ({"name": "inception_v3", "widths": (16, 32, 64, 128)}, "give a factor, width"),
        ({"name": "vgg16", "widths": (16, 32, 64, 128)}, "vgg16 has 5 stages, but 4 widths"),
        ({"name": "resnet18", "spatial_dims": 2, "width": 0.5}, "are fixed"),
        ({"name": "resnet18", "auxiliary": True}, "only inception_v3 and googlenet"),
        ({"name": "resnet18", "spatial_dims": 2, "convolution": "acs"}, "set spatial_dims to 3"),
        ({"name": "resnet19", "convolution": "acs"}, "timm has no network"),
    ],
)
def test_impossible_networks_are_refused_by_name(settings: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        ModelConfig(**settings)


def test_the_same_word_names_a_network_in_both_dimensions():
    for name in ("vgg16_bn", "vit_base_patch16", "EfficientNet-B0 ", "vit_small_patch16_224"):
        assert ModelConfig(name=name).canonical_name in {"vgg16", "vit_b16", "efficientnet_b0", "vit_s16"}
        assert ModelConfig(name=name, spatial_dims=2).family == "timm"
    assert ModelConfig(width=0.25).widths == (16, 32, 64, 128)
    assert ModelConfig().widths == (64, 128, 256, 512)
    # A card of an earlier version, whose 2D networks carried widths that nothing read.
    ModelConfig(name="resnet18", spatial_dims=2, widths=(64, 128, 256, 512))
