"""Grad-CAM on every family of networks: layers are found, and the map peaks on what the network was made to see."""

import numpy as np
import pytest
import torch
from torch import nn

from octa_kedro.explain.cams import grad_cam
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import choose_layers, measure_layers
from octa_kedro.explain.request import MapRequest
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model

NETWORKS = [
    ({"name": "vgg16", "width": 0.0625}, (64, 48, 56), "features.22", 4),
    ({"name": "vgg16_narrow"}, (64, 48, 56), "features.22", 4),
    ({"name": "inception_v3", "width": 0.0625}, (96, 80, 88), "Mixed_5d", 8),
    ({"name": "efficientnet_b0", "width": 0.5}, (64, 48, 56), "_blocks.2", 8),
    ({"name": "densenet121", "width": 0.125}, (64, 48, 56), "features.denseblock2", 8),
    ({"name": "vit_s16", "width": 0.125}, (64, 48, 60), "cells", 16),
    ({"name": "cv3fc2"}, (64, 48, 56), "stages.2", 8),
    ({"name": "resnet10t", "convolution": "acs"}, (64, 48, 56), "layer2", 8),
    ({"name": "googlenet", "spatial_dims": 2}, (64, 96), "inception3b", 8),
    ({"name": "efficientnet_b0", "spatial_dims": 2}, (64, 96), "blocks.2", 8),
]


@pytest.mark.parametrize(("settings", "shape", "name", "stride"), NETWORKS)
def test_every_family_has_layers_and_a_map_on_the_input_grid(settings: dict, shape: tuple, name: str, stride: int):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_model(ModelConfig(**settings)).eval()
    layers = measure_layers(model, (1, *shape), (0.01,) * len(shape))
    named = {layer.name: layer for layer in layers}
    assert named[name].stride == (stride,) * len(shape)
    assert [layer.cell_mm[0] for layer in layers] == sorted(layer.cell_mm[0] for layer in layers)
    limit = ExplainConfig(depth_cell_mm=0.01 * stride, lateral_cell_mm=0.01 * stride)
    assert choose_layers(layers, limit)[0].stride == (stride,) * len(shape)
    heat = grad_cam(MapRequest(model, limit, (0.01,) * len(shape), [named[name]]), torch.rand((1, 1, *shape)))
    assert heat.shape == shape
    assert np.isfinite(heat).all()
    assert heat.min() >= 0
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())


@pytest.mark.parametrize("place", [(30, 40, 50), (62, 30, 36)])
def test_maps_of_networks_that_do_not_pad_peak_where_the_blob_is(place: tuple[int, ...]):
    """In an Inception whose every weight is positive, brightness is evidence: the map must lie on the blob, which cells
    of a grid that begins 13 voxels inside the image do only if that is taken into account."""
    torch.set_num_threads(1)
    model = build_model(ModelConfig(name="inception_v3", width=0.02)).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        elif isinstance(module, nn.BatchNorm3d):
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        model.fc.weight.copy_(torch.tensor([[-1.0], [1.0]]).expand_as(model.fc.weight))
    image = torch.zeros(1, 1, 96, 80, 88)
    image[(0, 0, *(slice(p - 3, p + 4) for p in place))] = 1
    layer = next(one for one in measure_layers(model, (1, 96, 80, 88), (0.01,) * 3) if one.name == "Conv2d_4a_3x3")
    heat = grad_cam(MapRequest(model, ExplainConfig(), (0.01,) * 3, [layer]), image)
    centre = [
        float((heat.sum(tuple({0, 1, 2} - {a})) * np.arange(n)).sum() / heat.sum()) for a, n in enumerate(heat.shape)
    ]
    assert np.abs(np.array(centre) - place).max() < 2
