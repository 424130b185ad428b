"""Methods that compare with healthy eyes: exact values, signs and places."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from octa_kedro.errors import DataError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.gradients import donor_gradients, donor_smooth_grad
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.request import MapRequest
from octa_kedro.explain.slab_methods import PLAYERS, slab_occlusion, slab_shapley, slab_values
from octa_kedro.explain.swaps import donor_swap
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from tests.explain.anatomies import DEPTHS, anatomy, asked
from tests.explain.planted import BOX, SHAPE, Planted, planted_eye

NEEDING = [name for name, method in METHODS.items() if method.needs]
BLOCKS = {"occlusion_depth_mm": 0.04, "occlusion_lateral_mm": 0.04}


def uniform(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(seed))


class Weighted(nn.Module):
    """A linear network: its margin is the sum of `weight` times image."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = (images * self.weight).sum((1, 2, 3, 4)) / 2
        return torch.stack([-half, half], dim=1)


class Squared(Weighted):
    """Its margin is the square of that sum."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = (super().forward(images)[:, 1:] * 2) ** 2 / 2
        return torch.cat([-half, half], dim=1)


class Both(nn.Module):
    """Decides for class 1 only if two slabs, IPL-OPL and OPL-BM, are bright together."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        margin = images[:, 0, 4:8].mean((1, 2, 3)) * images[:, 0, 8:10].mean((1, 2, 3))
        return torch.stack([-margin / 2, margin / 2], dim=1)


def in_slabs(voxels: torch.Tensor) -> list[float]:
    edges = [*DEPTHS, SHAPE[0]]
    return [float(voxels[upper:lower].sum()) for upper, lower in pairwise(edges)]


def test_shapley_values_of_a_linear_network_are_the_slabs_own_differences():
    weight, image, donors = uniform(0)[0, 0] - 0.5, uniform(1), [uniform(2), uniform(3)]
    expected = np.mean([in_slabs(weight * (image - donor)[0, 0]) for donor in donors], axis=0)
    request = asked(Weighted(weight), image, *donors)
    np.testing.assert_allclose(slab_values(request, image), expected, rtol=1e-4, atol=1e-4)
    # Of a linear network, one slab exchanged alone says the same.
    np.testing.assert_allclose(slab_occlusion(request, image), slab_shapley(request, image), atol=1e-6)


def test_slabs_that_count_only_together_share_their_value():
    image, donor = torch.ones(1, 1, *SHAPE), torch.zeros(1, 1, *SHAPE)
    np.testing.assert_allclose(slab_values(asked(Both(), image, donor), image), [0, 0.5, 0.5, 0], atol=1e-6)


def test_shapley_values_sum_to_what_the_eye_has_more_than_healthy_ones():
    torch.manual_seed(0)
    model = build_model(ModelConfig(name="resnet10", widths=(4, 4, 8, 8))).eval()
    shape = (40, 32, 36)
    image, donors = uniform(1, shape), [uniform(2, shape), uniform(3, shape)]
    request = asked(model, image, *donors)
    with torch.no_grad():
        above = torch.arange(shape[0])[:, None, None] < DEPTHS[0]
        gain = (
            request.margin(image) - torch.stack([request.margin(torch.where(above, image, d)) for d in donors]).mean()
        )
    assert slab_values(request, image).sum() == pytest.approx(float(gain), abs=1e-5)
    assert slab_shapley(request, image).sum() == pytest.approx(float(gain), abs=1e-4)
    assert not slab_shapley(request, image)[: DEPTHS[0]].any()


@pytest.mark.parametrize("name", NEEDING)
def test_each_method_finds_the_planted_blob_with_its_sign(name: str):
    image, donor = planted_eye(), 0.2 + 0.2 * uniform(5)
    found, other = (
        METHODS[name](asked(Planted(), image, donor, target_class=target, **BLOCKS), image) for target in (1, 0)
    )
    assert found.shape == SHAPE
    peak = np.unravel_index(found.argmax(), SHAPE)
    axes = 1 if name.startswith("slab") else 3  # a slab has no place in plane
    assert all(box.start <= at < box.stop for at, box in list(zip(peak, BOX, strict=True))[:axes])
    assert other[BOX].max() < 0.05 * found[BOX].max()


def test_gradients_from_donors_of_a_linear_network_are_exact_and_their_number_is_the_total():
    weight, image, donors = uniform(0)[0, 0] - 0.5, uniform(1), [uniform(2), uniform(3)]
    passes = []
    model = Weighted(weight)
    model.register_forward_hook(lambda _m, inputs, _o: passes.append(len(inputs[0])))
    found = donor_gradients(asked(model, image, *donors, steps=4), image)
    expected = weight * (image - (donors[0] + donors[1]) / 2)[0, 0]
    np.testing.assert_allclose(found, expected.detach(), atol=1e-6)
    assert sum(passes) == 4


def test_gradients_from_donors_sum_to_what_the_margin_gains_on_average():
    weight, image, donors = uniform(0)[0, 0] - 0.5, uniform(1), [uniform(2), uniform(3)]
    request = asked(Squared(weight), image, *donors, steps=4)
    with torch.no_grad():
        gain = request.margin(image) - request.margin(torch.cat(donors)).mean()
    # The gradient of a square is linear, and the places of each donor's gradients have their mean half way.
    assert donor_gradients(request, image).sum() == pytest.approx(float(gain), rel=1e-4)


@pytest.mark.parametrize("noise", [0.0001, 0.2])
def test_smoothed_gradients_from_donors_are_those_of_their_formula(noise: float):
    torch.manual_seed(0)
    model = build_model(ModelConfig(name="resnet10", widths=(4, 4, 8, 8))).eval()
    shape = (12, 20, 16)
    image, donors = uniform(1, shape), [uniform(2, shape), uniform(3, shape)]
    request = asked(model, image, *donors, steps=3, smooth_grad_noise=noise)
    generator, width = torch.Generator().manual_seed(0), noise * float(image.max() - image.min())
    gradients = []
    for k, start in enumerate((donors[0], donors[1], donors[1])):
        at = start + (k + 0.5) / 3 * (image - start) + width * torch.randn(image.shape, generator=generator)
        at.requires_grad_()
        logits = model(at)
        gradients.append(torch.autograd.grad(logits[0, 1] - logits[0, 0], at)[0])
    healthy = (donors[0] + 2 * donors[1]) / 3
    expected = (torch.stack(gradients).mean(0) * (image - healthy))[0, 0].numpy()
    found = donor_smooth_grad(request, image)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_each_network_has_noise_of_its_own():
    image, donor = uniform(1), uniform(2)
    first = asked(Squared(uniform(0)[0, 0] - 0.5), image, donor)
    other = donor_smooth_grad(replace(first, draw=2), image)
    np.testing.assert_array_equal(donor_smooth_grad(first, image), donor_smooth_grad(first, image))
    assert not np.array_equal(donor_smooth_grad(first, image), other)


def test_a_swap_is_the_mean_of_deletion_and_insertion():
    weight = torch.zeros(SHAPE)
    weight[0, 0, 0] = weight[4, 0, 0] = 1  # two blocks, each of one voxel that counts
    image, donor = torch.ones(1, 1, *SHAPE), torch.zeros(1, 1, *SHAPE)
    found = donor_swap(asked(Squared(weight), image, donor, **BLOCKS), image)
    # margin = (a + b)^2: deletion loses 4 - 1, insertion gains 1 - 0, shared by the 64 voxels of a block.
    np.testing.assert_allclose(found[:4, :4, :4], (3 + 1) / 2 / 64, rtol=1e-5)
    assert not found[8:].any()


def test_what_is_missing_is_named_also_in_a_request_by_hand():
    image = uniform(0)
    bare = MapRequest(Planted(), ExplainConfig(), (0.01,) * 3)
    with pytest.raises(DataError, match="no healthy donor eye is known"):
        donor_swap(bare, image)
    with pytest.raises(DataError, match="surfaces are not known"):
        slab_values(bare, image)


def test_replacements_are_made_once_for_all_networks():
    known = anatomy(uniform(0), uniform(1))
    assert known.replacements is known.replacements
    assert len(PLAYERS) == 4
