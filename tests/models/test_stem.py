import copy
import pickle
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import nn
from torch.nn import functional

from octa_kedro.models import stem
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.stem import FoldedConv3d, fold_stem, folded_weight_gradient

# kernel, padding, grid: odd and even ones, different on each axis, cut off at the end or not
CASES: tuple[tuple[Any, Any, tuple[int, ...]], ...] = (
    (7, 3, (12, 10, 8)),
    (7, 3, (13, 11, 9)),
    (7, 0, (9, 8, 7)),
    (6, 2, (8, 9, 10)),
    (5, 1, (11, 8, 5)),
    ((5, 6, 7), (1, 2, 3), (10, 9, 8)),
    (7, 3, (1, 2, 3)),
    (2, 0, (4, 5, 6)),
    (1, 0, (4, 5, 6)),
)


def pair(channels: int, width: int, kernel, padding, *, bias: bool) -> tuple[nn.Conv3d, FoldedConv3d]:
    """The same convolution twice, in double precision."""
    torch.manual_seed(0)
    plain = nn.Conv3d(channels, width, kernel, 2, padding, bias=bias).double()
    return plain, FoldedConv3d.of(copy.deepcopy(plain))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("channels", "bias"), [(1, False), (3, True)])
def test_output_is_the_same_and_gradients_are_equal(
    case: tuple[Any, Any, tuple[int, ...]], channels: int, bias: bool, monkeypatch: pytest.MonkeyPatch
):
    kernel, padding, grid = case
    monkeypatch.setattr(stem, "SMALLEST_KERNEL", 1)
    plain, folded = pair(channels, 4, kernel, padding, bias=bias)
    images = torch.rand((2, channels, *grid), dtype=torch.float64)
    found = []
    for conv in (plain, folded):
        given = images.clone().requires_grad_()
        output = conv(given)
        output.square().sum().backward()
        found.append((output, given.grad, conv.weight.grad, conv.bias.grad if bias else torch.zeros(1)))
    assert torch.equal(found[0][0], found[1][0])
    assert type(found[1][0].grad_fn).__name__ == "_FoldedGradientBackward"
    for expected, gradient in zip(found[0][1:], found[1][1:], strict=True):
        assert gradient.shape == expected.shape
        torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-12)


def test_a_small_kernel_has_the_gradient_that_was_computed_by_hand():
    # One channel, a kernel of one plane and row: y[i] = w0 x[2i] + w1 x[2i+1] + w2 x[2i+2] along the last axis.
    images = torch.tensor([1.0, 2, 3, 4, 5]).reshape(1, 1, 1, 1, 5)
    gradient = torch.tensor([1.0, 10.0]).reshape(1, 1, 1, 1, 2)
    found = folded_weight_gradient(images, gradient, (1, 1, 3), (0, 0, 0))
    assert found.flatten().tolist() == [1 + 30, 2 + 40, 3 + 50]


def test_gradients_can_be_differentiated():
    _, folded = pair(1, 2, 7, 3, bias=True)
    images = torch.rand((1, 1, 5, 4, 6), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(folded, (images,))
    assert torch.autograd.gradgradcheck(folded, (images,))


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv3d(1, 4, 7, 1, 3),
        nn.Conv3d(1, 4, 7, (1, 2, 2), 3),
        nn.Conv3d(1, 4, 7, 2, 6, dilation=2),
        nn.Conv3d(2, 4, 7, 2, 3, groups=2),
        nn.Conv3d(1, 4, 7, 2, 3, padding_mode="circular"),
        nn.Conv3d(1, 4, 7, 2, "valid"),
        nn.Conv3d(1, stem.MOST_OUT + 1, 7, 2, 3),
        nn.Conv3d(1, 4, (7, 3, 7), 2, 1),
    ],
    ids=str,
)
def test_other_convolutions_are_torchs_own(conv: nn.Conv3d):
    images = torch.rand((1, conv.in_channels, 11, 12, 13))
    output = FoldedConv3d.of(conv)(images)
    assert "Folded" not in type(output.grad_fn).__name__
    assert torch.equal(output, conv(images))


def test_without_gradients_and_when_frozen_it_is_torchs_own():
    _, folded = pair(1, 4, 7, 3, bias=False)
    images = torch.rand((1, 1, 8, 8, 8), dtype=torch.float64)
    with torch.no_grad():
        assert folded(images).grad_fn is None
    folded.weight.requires_grad_(False)
    given = images.requires_grad_()
    assert "Folded" not in type(folded(given).grad_fn).__name__


def test_a_single_volume_without_a_batch_and_one_that_is_too_small():
    plain, folded = pair(1, 4, 7, 0, bias=False)
    volume = torch.rand((1, 9, 9, 9), dtype=torch.float64)
    assert torch.equal(folded(volume), plain(volume))
    with pytest.raises(RuntimeError, match="Kernel size"):
        folded(torch.rand((1, 1, 6, 9, 9), dtype=torch.float64))


def test_under_autocast_the_output_has_its_type():
    folded = FoldedConv3d.of(nn.Conv3d(1, 4, 7, 2, 3))
    with torch.autocast("cpu", torch.bfloat16):
        output = folded(torch.rand(1, 1, 8, 8, 8))
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert folded.weight.grad.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_it_is_torchs_own():
    folded = FoldedConv3d.of(nn.Conv3d(1, 4, 7, 2, 3)).cuda()
    assert "Folded" not in type(folded(torch.rand(1, 1, 8, 8, 8, device="cuda")).grad_fn).__name__


def test_copies_and_pickles_are_whole():
    plain, folded = pair(1, 4, 7, 3, bias=True)
    images = torch.rand((1, 1, 8, 8, 8), dtype=torch.float64)
    for copied in (copy.deepcopy(folded), pickle.loads(pickle.dumps(folded))):
        assert type(copied) is FoldedConv3d
        assert torch.equal(copied(images), plain(images))


def test_it_takes_parameters_and_mode_over_and_draws_no_number():
    plain = nn.Conv3d(1, 4, 7, 2, 3).eval()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    folded = FoldedConv3d.of(plain)
    assert torch.equal(torch.rand(3), expected)
    assert folded.weight is plain.weight
    assert folded.bias is plain.bias
    assert not folded.training


def test_only_the_first_convolution_of_a_network_changes():
    network = nn.Sequential(nn.Sequential(nn.Conv3d(1, 4, 7, 2, 3)), nn.Conv3d(4, 4, 5, 2, 2))
    names = [*network.state_dict()]
    fold_stem(network)
    assert [type(m) for m in network.modules() if isinstance(m, nn.Conv3d)] == [FoldedConv3d, nn.Conv3d]
    assert [*network.state_dict()] == names


def test_a_resnet_has_it_and_learns_the_same(monkeypatch: pytest.MonkeyPatch):
    config = ModelConfig(name="resnet10", widths=(4, 4, 4, 4), norm="group")
    torch.manual_seed(0)
    model = build_model(config).double()
    assert type(model.conv1) is FoldedConv3d
    assert model.state_dict()["conv1.weight"].shape == (4, 1, 7, 7, 7)
    images = torch.rand((2, 1, 20, 17, 16), dtype=torch.float64)
    gradients = []
    folding = Mock(wraps=stem.folded_weight_gradient)
    monkeypatch.setattr(stem, "folded_weight_gradient", folding)
    for most in (stem.MOST_OUT, 0):
        monkeypatch.setattr(stem, "MOST_OUT", most)
        model.zero_grad()
        functional.cross_entropy(model(images), torch.tensor([0, 1])).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for folded, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(folded, plain, rtol=1e-9, atol=1e-12)
    assert folding.call_count == 1
