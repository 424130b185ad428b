"""2D networks made 3D: ACS convolutions, inflation, and what cannot be converted."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.convert import ACSConv3d, to_3d
from octa_kedro.models.factory import build_model


@pytest.mark.parametrize("stride", [1, 2])
def test_each_third_of_an_acs_convolution_looks_along_one_axis(stride: int):
    torch.manual_seed(0)
    net_2d = nn.Conv2d(1, 4, 3, stride=stride, padding=1)
    volume = torch.rand(1, 1, 7, 8, 9)
    found = ACSConv3d(net_2d)(volume)[0].detach().numpy()
    assert ACSConv3d(net_2d).parts == (2, 1, 1)
    for channel, axis in enumerate([0, 0, 1, 2]):
        kernel = np.expand_dims(net_2d.weight[channel, 0].detach().numpy(), axis)
        full = correlate(volume[0, 0].numpy(), kernel, mode="constant") + net_2d.bias[channel].item()
        np.testing.assert_allclose(found[channel], full[::stride, ::stride, ::stride], atol=1e-5)


@pytest.mark.parametrize(("channels", "parts"), [(3, (1, 1, 1)), (64, (22, 21, 21)), (5, (2, 2, 1)), (2, (1, 1, 0))])
def test_all_three_views_have_channels(channels: int, parts: tuple[int, ...]):
    conv = ACSConv3d(nn.Conv2d(2, channels, 5, padding=2, bias=False))
    assert conv.parts == parts
    assert conv(torch.rand(1, 2, 6, 6, 6)).shape == (1, channels, 6, 6, 6)


@pytest.mark.parametrize(
    "net_2d",
    [
        nn.Conv2d(2, 4, 3),
        nn.Conv2d(2, 4, (1, 3), padding=(0, 1)),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding="same"),
    ],
)
def test_convolutions_that_acs_cannot_take(net_2d: nn.Conv2d):
    with pytest.raises(ConfigError, match="acs cannot take"):
        ACSConv3d(net_2d)


def test_acs_has_the_weights_of_the_2d_network():
    net_2d, acs = (
        build_model(ModelConfig(name="resnet18", spatial_dims=2)),
        build_model(ModelConfig(name="resnet18", convolution="acs")),
    )
    assert {k: v.shape for k, v in net_2d.state_dict().items() if "downsample.0" not in k} == {
        k: v.shape for k, v in acs.state_dict().items() if "downsample.0" not in k
    }
    assert not [m for m in acs.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.MaxPool2d)]


class ChannelGate(nn.Module):
    """Means over the last two axes by number: right for images, wrong for volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc = nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.conv(images)
        gated = features * features.mean((2, 3), keepdim=True)
        return self.fc(gated.flatten(2).mean(2))


def test_networks_whose_code_counts_axes_are_found_out():
    with pytest.raises(ConfigError, match="cannot be made 3D layer by layer"):
        to_3d(ChannelGate(), "inflated", "gate")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "mobilenetv3_small_050", "convolution": "inflated"}, "cannot be made 3D"),
        ({"name": "convnext_atto", "convolution": "acs"}, "cannot be made 3D"),
    ],
)
def test_networks_that_cannot_be_converted_say_so(settings: dict, words: str):
    with pytest.raises(ConfigError, match=words):
        build_model(ModelConfig(**settings))


def test_vgg_would_be_too_large():
    with torch.device("meta"), pytest.raises(ConfigError, match="780 million weights"):
        build_model(ModelConfig(name="vgg16", convolution="inflated"))
