"""Input sizes: the tables are what the networks do, and what cannot be taken is refused with the smallest that can."""

import pytest
import torch

from octa_kedro.errors import ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.names import NETWORKS_3D
from octa_kedro.models.sizes import SMALLEST_2D, require_input, smallest_input, takes

LARGE = {"vgg19_bn", "resnet152", "efficientnet_b3", "efficientnet_b4", "efficientnet_b2", "resnet34"}


def cases() -> list:
    cases_3d = [({"name": n, "norm": "batch"}, s.smallest) for n, s in NETWORKS_3D.items() if n not in LARGE]
    cases_2d = [({"name": n, "spatial_dims": 2}, s) for n, s in SMALLEST_2D.items() if n not in LARGE]
    return [
        pytest.param(*case, id=f"{case[0]['name']}-{case[0].get('spatial_dims', 3)}") for case in cases_3d + cases_2d
    ]


@pytest.mark.parametrize(("settings", "smallest"), cases())
def test_the_tables_hold(settings: dict, smallest: int):
    config = ModelConfig(**settings)
    with torch.device("meta"):
        model = build_model(config).train()
    assert takes(model, config, (smallest,) * config.spatial_dims)
    assert smallest == 1 or not takes(model, config, (smallest - 1,) * config.spatial_dims)
    assert smallest_input(config) == smallest


def test_running_without_data_says_what_running_does():
    for side, can in [(31, False), (32, True)]:
        config = ModelConfig(name="vgg16", width=0.05)
        assert takes(build_model(config).train(), config, (side,) * 3) is can
    config = ModelConfig(name="inception_v3", width=0.05)
    for side, can in [(74, False), (75, True)]:
        assert takes(build_model(config).train(), config, (side,) * 3) is can


@pytest.mark.parametrize(
    ("settings", "shape", "words"),
    [
        ({"name": "inception_v3"}, (96, 64, 64), "images of 96 x 64 x 64; the smallest side it can take is 75"),
        ({"name": "vgg16", "spatial_dims": 2}, (31, 64), "the smallest side it can take is 32"),
        ({"name": "resnet18"}, (64, 64), "spatial_dims is 3, but the images have 2"),
        ({"name": "vgg11", "spatial_dims": 2}, (16, 16), "smallest side it can take is 32"),
        ({"name": "resnet10", "norm": "instance", "norm_stages": True}, (32, 32, 32), "can take is 33"),
        ({"name": "mixer_s32_224", "spatial_dims": 2}, (96, 96), "the smallest side it can take is 224"),
    ],
)
def test_sizes_that_cannot_be_taken_are_refused(settings: dict, shape: tuple[int, ...], words: str):
    with pytest.raises(ConfigError, match=words):
        require_input(ModelConfig(**settings), shape)


def test_sizes_that_can_be_taken_are():
    require_input(ModelConfig(), (96, 64, 64))
    require_input(ModelConfig(norm="instance"), (96, 64, 64))
    require_input(ModelConfig(name="vit_b16"), (96, 70, 70), batch=1)
    require_input(ModelConfig(name="vgg11", spatial_dims=2), (40, 50))


def test_one_image_at_a_time_needs_more_voxels_than_one():
    with pytest.raises(ConfigError, match="raise batch_size"):
        require_input(ModelConfig(), (32, 32, 32), batch=1)
    require_input(ModelConfig(), (33, 32, 32), batch=1)
    require_input(ModelConfig(norm="group", norm_stages=True), (32, 32, 32), batch=1)
