"""Maps: sign, place, scale, independence of what they should not depend on."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from octa_kedro.errors import CheckpointError
from octa_kedro.explain.cams import grad_cam
from octa_kedro.explain.config import MethodName
from octa_kedro.explain.gradients import blurred, gradient_x_input, integrated_gradients, smooth_grad
from octa_kedro.explain.layers import upsample_cells
from octa_kedro.explain.methods import METHODS
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from tests.explain.networks import BlobCounter, request

OF_NO_CLASS = {"eigen_cam", "score_cam"}  # weights of Score-CAM are a softmax: never negative
ANYWHERE = [name for name, method in METHODS.items() if not method.needs]
SMALL = ModelConfig(name="resnet10", widths=(4, 4, 8, 8))


def blob(shape: tuple[int, ...], corner: int) -> tuple[torch.Tensor, tuple[slice, ...]]:
    image = torch.zeros((1, 1, *shape))
    box = tuple(slice(corner + 2 * axis, corner + 2 * axis + 5) for axis in range(len(shape)))
    image[(0, 0, *box)] = 1
    return image, box


def test_the_names_of_the_configuration_are_those_of_the_table():
    assert get_args(MethodName) == tuple(METHODS)


@pytest.mark.parametrize("name", ANYWHERE)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("corner", [8, 20])
def test_the_map_peaks_on_a_planted_blob(name: str, dims: int, corner: int):
    shape = (40, 48, 56)[:dims]
    image, box = blob(shape, corner)
    model = BlobCounter(dims).eval()
    settings = {"occlusion_depth_mm": 0.04, "occlusion_lateral_mm": 0.04}
    asked = request(model, (1, *shape), **settings)
    heat = METHODS[name](asked, image)
    assert heat.shape == shape
    assert heat.min() >= 0
    peak = np.unravel_index(heat.argmax(), heat.shape)
    centre = [corner + 2 * axis + 2 for axis in range(dims)]
    assert np.abs(np.array(peak) - centre).max() <= 3
    # Evidence against the class is not shown: the other class's map is empty there.
    if name not in OF_NO_CLASS:
        other = request(model, (1, *shape), target_class=0, **settings)
        assert METHODS[name](other, image)[box].max() < 0.2 * heat[box].max()


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_constant_added_to_all_logits_changes_nothing(name: str):
    class Shifted(BlobCounter):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) + 3 * images.mean()

    image = torch.rand(1, 1, 24, 24)
    maps = [METHODS[name](request(m.eval(), (1, 24, 24)), image) for m in (BlobCounter(2), Shifted(2))]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ANYWHERE)
def test_no_hooks_are_left_and_weights_stay(name: str):
    model = build_model(SMALL).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    METHODS[name](request(model, (1, 32, 40, 48)), torch.rand(1, 1, 32, 40, 48))
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_grad_cam_agrees_with_autograd_written_out():
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    image = torch.rand(1, 1, 32, 48, 40)
    asked = request(model, (1, 32, 48, 40), layer=1)
    (layer,) = asked.layers
    kept = {}
    handle = layer.module.register_forward_hook(lambda _m, _i, out: kept.update(a=out))
    logits = model(image)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], kept["a"])
    expected = {
        "grad_cam": gradient.mean((2, 3, 4), keepdim=True) * kept["a"],
        "hires_cam": gradient * kept["a"],
        "layer_cam": gradient.relu() * kept["a"],
    }
    for name, cells in expected.items():
        heat = upsample_cells(cells.sum(1)[0].relu().detach().numpy(), (32, 48, 40), layer.stride)
        np.testing.assert_allclose(METHODS[name](asked, image), heat, rtol=1e-4, atol=1e-7)


def test_only_what_lies_behind_the_layer_is_differentiated():
    model = BlobCounter(2).eval()
    grad_cam(request(model, (1, 24, 24)), torch.rand(1, 1, 24, 24))
    assert model.layer1[0].weight.grad is None
    assert model.fc.weight.grad is not None


def test_fused_layers_count_by_voxel():
    model = build_model(SMALL).eval()
    image, shape = torch.rand(1, 1, 32, 32, 32), (1, 32, 32, 32)
    one, two = (request(model, shape, layer) for layer in (0, 1))
    both = request(model, shape)
    both = type(both)(model, both.config, both.spacing_mm, [*one.layers, *two.layers])
    expected = [grad_cam(r, image) / np.prod(r.layers[0].stride) for r in (one, two)]
    np.testing.assert_allclose(grad_cam(both, image), np.mean(expected, axis=0), rtol=1e-5)


def test_gradient_x_input_agrees_with_autograd_written_out():
    model = build_model(SMALL).eval()
    image = torch.rand(1, 1, 32, 40, 48, requires_grad=True)
    logits = model(image)
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], image)
    found = gradient_x_input(request(model, (1, 32, 40, 48)), image.detach())
    np.testing.assert_allclose(found, (gradient * image)[0, 0].detach(), rtol=1e-5, atol=1e-8)


def test_integrated_gradients_sum_to_what_the_margin_gains():
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    image = torch.rand(1, 1, 32, 40, 48)
    asked = request(model, (1, 32, 40, 48), steps=64)
    with torch.no_grad():
        gain = float(asked.margin(image) - asked.margin(blurred(asked, image)))
    assert integrated_gradients(asked, image).sum() == pytest.approx(gain, rel=0.02)


def test_smooth_grad_is_the_same_each_time_and_is_the_gradient_where_there_is_no_noise():
    model, image = build_model(SMALL).eval(), torch.rand(1, 1, 32, 40, 48)
    asked = request(model, (1, 32, 40, 48), steps=2)
    np.testing.assert_array_equal(smooth_grad(asked, image), smooth_grad(asked, image))
    still = request(model, (1, 32, 40, 48), steps=2, smooth_grad_noise=1e-9)
    np.testing.assert_allclose(smooth_grad(still, image), gradient_x_input(still, image), rtol=1e-3, atol=1e-6)


def test_a_width_in_millimetres_smooths_by_that_many_voxels():
    image, _ = blob((40, 48, 56), 20)
    model = BlobCounter(3, stride=1).eval()
    sharp, wide = (
        METHODS["gradient_x_input"](request(model, (1, 40, 48, 56), smooth_depth_mm=w, smooth_lateral_mm=0), image)
        for w in (0, 0.03)
    )
    spread = [np.average((np.arange(40) - 22) ** 2, weights=heat.sum((1, 2))) for heat in (sharp, wide)]
    assert spread[1] - spread[0] == pytest.approx(9, rel=0.05)


@pytest.mark.parametrize("name", [n for n in ANYWHERE if n != "occlusion"])
def test_a_network_that_does_not_look_at_the_image_is_refused(name: str):
    model = BlobCounter(2).eval()
    nn.init.zeros_(model.fc.weight)
    with pytest.raises(CheckpointError, match="does not depend on the image"):
        METHODS[name](request(model, (1, 24, 24)), torch.rand(1, 1, 24, 24))
