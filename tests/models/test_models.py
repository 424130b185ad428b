"""Networks: shapes, gradients, configuration, transfer."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.autoencoder import Autoencoder, encoder_weights
from octa_kedro.models.axes import from_tensor, to_tensor
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model, encode_3d, stages, start_from_encoder

NARROW = {"spatial_dims": 3, "widths": (2, 4, 4, 8)}


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"name": "resnet10", **NARROW}, (2, 1, 40, 33, 48)),
        ({"name": "resnet18", **NARROW, "in_channels": 2, "classes": 3}, (2, 2, 32, 32, 32)),
        ({"name": "resnet34", **NARROW, "dropout": 0.3}, (2, 1, 32, 32, 32)),
        ({"name": "resnet18", "spatial_dims": 2}, (2, 1, 64, 48)),
        ({"name": "resnet10t", "spatial_dims": 2, "in_channels": 3, "classes": 4, "dropout": 0.2}, (2, 3, 64, 64)),
    ],
)
def test_output_shape_finite_and_every_weight_learns(config: dict, shape: tuple[int, ...]):
    torch.manual_seed(0)
    parsed = ModelConfig(**config)
    model = build_model(parsed)
    logits = model(torch.randn(shape))
    assert logits.shape == (2, parsed.classes)
    assert torch.isfinite(logits).all()
    # timm starts each residual branch at zero, so that a step has to be taken before all of it learns.
    for _ in range(2):
        model.zero_grad()
        model(torch.randn(shape)).square().sum().backward()
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


def test_3d_stem_strides_in_depth():
    model = build_model(ModelConfig(**NARROW))
    assert encode_3d(model, torch.zeros(1, 1, 64, 64, 64)).shape == (1, 8, 2, 2, 2)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"name": "resnet19"}, "no 3D network 'resnet19'"),
        ({"name": "resnet19", "spatial_dims": 2}, "timm has no network"),
        ({"spatial_dims": 4}, "spatial_dims"),
        ({"width": (1, 2, 3, 4)}, "width"),
        ({"classes": 1}, "classes"),
    ],
)
def test_impossible_networks_are_named(config: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        ModelConfig(**config)


def test_networks_without_stages_say_so():
    with pytest.raises(ConfigError, match="no stages"):
        stages(build_model(ModelConfig(name="vit_tiny_patch16_224", spatial_dims=2)))


@pytest.mark.parametrize("shape", [(2, 1, 64, 32, 32), (2, 1, 40, 50, 36)])
def test_autoencoder_rebuilds_the_input_grid(shape: tuple[int, ...]):
    model = Autoencoder(ModelConfig(**NARROW), mean_grey=0.1)
    rebuilt = model(torch.rand(shape))
    assert rebuilt.shape == shape
    assert 0 <= rebuilt.min() <= rebuilt.max() <= 1
    rebuilt.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_classifier_starts_from_the_encoder_exactly():
    encoder, model = Autoencoder(ModelConfig(**NARROW)), build_model(ModelConfig(**NARROW))
    head = {k: v.clone() for k, v in model.state_dict().items() if k.startswith("fc.")}
    start_from_encoder(model, encoder_weights(encoder.state_dict()))
    images = torch.rand(2, 1, 32, 32, 32)
    model.eval()
    encoder.eval()
    torch.testing.assert_close(encode_3d(model, images), encode_3d(encoder.encoder, images))
    for name, value in head.items():
        assert torch.equal(model.state_dict()[name], value)


@pytest.mark.parametrize("other", [{"widths": (2, 4, 4, 16)}, {"name": "resnet34"}])
def test_weights_of_another_network_are_refused(other: dict):
    model = build_model(ModelConfig(**NARROW))
    with pytest.raises(CheckpointError, match="do not fit"):
        start_from_encoder(model, encoder_weights(Autoencoder(ModelConfig(**(NARROW | other))).state_dict()))


def test_axes_go_there_and_back():
    array = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    tensor = to_tensor(Volume(array, np.eye(4), "OCTA"))
    assert tensor.shape == (1, 5, 4, 3)
    assert tensor[0, 4, 1, 2] == array[2, 1, 4]
    np.testing.assert_array_equal(from_tensor(tensor[0]), array)
    planes = PlaneStack(array, np.eye(4), ("a", "b", "c", "d", "e"))
    chosen = to_tensor(planes, ("e", "b"))
    assert chosen.shape == (2, 4, 3)
    np.testing.assert_array_equal(from_tensor(chosen[0]), array[..., 4])


def test_the_original_stem_keeps_every_depth():
    given = ({"widths": [4, 4, 8, 8], "stem_stride": stride} for stride in ((2, 2, 2), (1, 2, 2)))
    default, original = (build_model(ModelConfig.model_validate(values)) for values in given)
    image = torch.rand(1, 1, 32, 32, 32)
    assert default.conv1(image).shape[2:] == (16, 16, 16)
    assert original.conv1(image).shape[2:] == (32, 16, 16)
    with pytest.raises(ValidationError, match="stem_stride: only 3D ResNets"):
        ModelConfig.model_validate({"name": "vgg16", "stem_stride": (1, 2, 2)})
