"""Every method's map is that of its formula, written out here with torch alone, on images that are no cubes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.request import MapRequest
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from tests.explain.networks import request

SHAPES = {3: (12, 20, 16), 2: (28, 20)}
RAW = {
    "smooth_depth_mm": 0, "smooth_lateral_mm": 0, "steps": 3, "baseline_blur_mm": 0.03,
    "occlusion_depth_mm": 0.05, "occlusion_lateral_mm": 0.07, "smooth_grad_noise": 0.1,
}  # fmt: skip
STRIDE = 4  # of the first stage, which is looked at
TARGET, OTHER = 1, 0


class Small2D(nn.Module):
    """Two stages in two dimensions, with ReLUs in place, as modules and as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 5, 5, 4, 2), nn.BatchNorm2d(5), nn.ReLU(inplace=True))
        self.layer2 = nn.Conv2d(5, 6, 3, 1, 1)
        self.fc = nn.Linear(6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(functional.relu(self.layer2(self.layer1(images))).flatten(2).mean(2))


@cache
def network(dims: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(3)
    model = Small2D() if dims == 2 else build_model(ModelConfig(name="resnet10", widths=(4, 4, 8, 8)))
    for module in model.modules():  # weights and statistics that are not those of a fresh network
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return model.eval().to(dtype)


@cache
def image(dims: int) -> torch.Tensor:
    return torch.rand((1, 1, *SHAPES[dims]), generator=torch.Generator().manual_seed(7))


def margin(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    logits = model(images)
    return logits[:, TARGET] - logits[:, OTHER]


def split(model: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
    """What the first stage puts out for one image, and the margin as a function of it."""
    kept = []
    handle = model.layer1.register_forward_hook(lambda _m, _i, out: kept.append(out.detach().clone()))
    model(images)
    handle.remove()

    def behind(activations: torch.Tensor) -> torch.Tensor:
        replaced = model.layer1.register_forward_hook(lambda _m, _i, _out: activations)
        try:
            return margin(model, images.expand(len(activations), *images.shape[1:]))
        finally:
            replaced.remove()

    return kept[0], behind


def on_grid(cells: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Linear interpolation with cell i on voxel STRIDE * i, constant beyond the last."""
    for axis, size in enumerate(shape):
        n = cells.shape[axis]
        at = (torch.arange(size) / STRIDE).clamp(0, n - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=n - 1)
        share = (at - low).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        cells = cells.index_select(axis, low) * (1 - share) + cells.index_select(axis, high) * share
    return cells


def gradients(dims: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations of the first stage and the margin's gradient, ``(channels, [d,] h, w)``."""
    activations, behind = split(network(dims), image(dims))
    at = activations.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(behind(at.clone()).sum(), at)
    return activations[0], gradient[0]


def input_gradient(dims: int, at: torch.Tensor) -> torch.Tensor:
    at = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(margin(network(dims), at).sum(), at)
    return gradient[0, 0]


def blurred(dims: int) -> torch.Tensor:
    """Each depth slice convolved with a gaussian of 3 pixels, divided by how much of it lies inside."""
    offsets = torch.arange(-12, 13)
    kernel = torch.exp(-((offsets / 3.0) ** 2) / 2)
    kernel = kernel / kernel.sum()
    planes = image(dims)[0, 0].reshape(-1, 1, *SHAPES[dims][-2:])

    def convolve(x: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(x, kernel.reshape(1, 1, -1, 1), padding=(12, 0))
        return functional.conv2d(x, kernel.reshape(1, 1, 1, -1), padding=(0, 12))

    return (convolve(planes) / convolve(torch.ones_like(planes))).reshape(image(dims).shape)


def space(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(range(1, tensor.ndim))


def of_cells(weigh: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[[int], torch.Tensor]:
    """A map of activation from what `weigh` makes of activations and gradients: what is summed over channels."""

    def explain(dims: int) -> torch.Tensor:
        return on_grid(weigh(*gradients(dims)).sum(0).clamp(min=0), SHAPES[dims])

    return explain


def plus_plus(a: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    alpha = g**2 / (2 * g**2 + a.sum(space(a), keepdim=True) * g**3)
    return (alpha.nan_to_num(0) * g.clamp(min=0)).sum(space(a), keepdim=True) * a


def x_grad(a: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    share = (a / a.sum(space(a), keepdim=True)).nan_to_num(0)
    return (g * share).sum(space(a), keepdim=True) * a


def eigen(a: torch.Tensor, _g: torch.Tensor) -> torch.Tensor:
    flat = a.flatten(1).double()
    centred = flat - flat.mean(1, keepdim=True)
    left, _, _ = torch.linalg.svd(centred, full_matrices=False)
    found = left[:, 0] @ centred
    found = -found if found.min().abs() > found.max().abs() else found
    return found.reshape(1, *a.shape[1:]).float()


def score(dims: int) -> torch.Tensor:
    activations, _ = split(network(dims), image(dims))
    gains = []
    varied = [channel for channel in activations[0] if channel.max() > channel.min()]
    for channel in varied:
        up = on_grid(channel, SHAPES[dims])
        mask = (up - channel.min()) / (channel.max() - channel.min())
        gains.append(margin(network(dims), image(dims) * mask) - margin(network(dims), image(dims) * 0))
    weights = torch.softmax(torch.cat(gains), 0)
    return on_grid(torch.einsum("c,c...->...", weights, torch.stack(varied)).clamp(min=0), SHAPES[dims])


def ablation(dims: int) -> torch.Tensor:
    activations, behind = split(network(dims), image(dims))
    losses = []
    for channel in range(activations.shape[1]):
        without = activations.clone()
        without[:, channel] = 0
        losses.append(behind(activations) - behind(without))
    return on_grid(torch.einsum("c,c...->...", torch.cat(losses), activations[0]).clamp(min=0), SHAPES[dims])


def smooth_grad(dims: int) -> torch.Tensor:
    noise, x = torch.Generator().manual_seed(0), image(dims)
    width = 0.1 * (x.max() - x.min())
    noisy = [x + width * torch.randn(x.shape, generator=noise) for _ in range(3)]
    return torch.stack([input_gradient(dims, one) for one in noisy]).mean(0) * x[0, 0]


def integrated(dims: int) -> torch.Tensor:
    start, x = blurred(dims), image(dims)
    path = [input_gradient(dims, start + (k + 0.5) / 3 * (x - start)) for k in range(3)]
    return torch.stack(path).mean(0) * (x - start)[0, 0]


def occlusion(dims: int) -> torch.Tensor:
    """In double precision, since losses are small differences of margins."""
    model, x, other = network(dims, torch.float64), image(dims).double(), blurred(dims)
    sizes = (5, 7, 7)[-dims:]
    found, whole = torch.zeros(SHAPES[dims]), margin(model, x)
    counts = [range(-(-n // size)) for n, size in zip(SHAPES[dims], sizes, strict=True)]
    for corner in torch.cartesian_prod(*(torch.tensor([*one]) for one in counts)).tolist():
        block = tuple(slice(k * size, (k + 1) * size) for k, size in zip(corner, sizes, strict=True))
        gone = x.clone()
        gone[(0, 0, *block)] = other[(0, 0, *block)]
        found[block] = (whole - margin(model, gone)).float() / found[block].numel()
    return found


def guided(dims: int) -> torch.Tensor:
    """By hooks on tensors: where a ReLU puts out nothing, or would pass back what is negative, nothing passes."""
    relu = torch.relu

    def hooked(x: torch.Tensor, inplace: bool = False) -> torch.Tensor:
        out = relu(x)
        if x.requires_grad:
            x.register_hook(lambda g, y=out: g * (y > 0))
            out.register_hook(lambda g: g.clamp(min=0))
        return out * 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "relu", hooked)
        return input_gradient(dims, image(dims))


REFERENCES: dict[str, Callable[[int], torch.Tensor]] = {
    "grad_cam": of_cells(lambda a, g: g.mean(space(g), keepdim=True) * a),
    "grad_cam_pp": of_cells(plus_plus),
    "hires_cam": of_cells(lambda a, g: g * a),
    "layer_cam": of_cells(lambda a, g: g.clamp(min=0) * a),
    "xgrad_cam": of_cells(x_grad),
    "eigen_cam": of_cells(eigen),
    "score_cam": score,
    "ablation_cam": ablation,
    "gradient_x_input": lambda dims: input_gradient(dims, image(dims)) * image(dims)[0, 0],
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated,
    "occlusion": occlusion,
    "guided_backprop": guided,
    "guided_grad_cam": lambda dims: guided(dims) * REFERENCES["grad_cam"](dims),
}
OF_THE_EYE = {name for name, method in METHODS.items() if method.needs}
"""Methods that need more of an eye than its image; test_anatomical.py compares them."""


def test_every_method_has_its_formula_here():
    assert {*REFERENCES} | OF_THE_EYE == {*METHODS}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", [name for name in METHODS if name not in OF_THE_EYE])
def test_a_map_is_that_of_its_formula(name: str, dims: int):
    asked: MapRequest = request(network(dims), (1, *SHAPES[dims]), **RAW)
    images = image(dims)
    if name == "occlusion":
        asked, images = replace(asked, model=network(dims, torch.float64)), images.double()
    found = METHODS[name](asked, images)
    expected = REFERENCES[name](dims).detach().clamp(min=0).numpy()
    assert found.shape == expected.shape
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())
