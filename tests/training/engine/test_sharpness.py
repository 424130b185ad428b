"""Sharpness-aware steps: by hand, and what they must leave alone."""

import contextlib

import pytest
import torch
from torch import nn

from octa_kedro.training.engine.sharpness import climbed
from tests.training.engine.test_averaging import bits, make_model, same


def test_the_gradient_is_taken_uphill_by_hand():
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0]]))
    model.weight.square().sum().backward()  # the gradient is (6, 8), its norm 10
    with climbed(model, 0.5):
        assert model.weight.tolist() == [[pytest.approx(3.3), pytest.approx(4.4)]]
        assert model.weight.grad is None
        model.weight.square().sum().backward()
    assert model.weight.tolist() == [[3.0, 4.0]]
    assert model.weight.grad.tolist() == [[pytest.approx(6.6), pytest.approx(8.8)]]


def test_weights_and_statistics_come_back_with_the_same_bits_also_after_an_error():
    model, batch = make_model(), torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    model(batch).square().mean().backward()
    own = bits(model.state_dict())
    with contextlib.suppress(KeyError), climbed(model, 0.1):
        model(batch)
        assert not torch.equal(model[0].weight, own["0.weight"])
        raise KeyError
    assert same(model.state_dict(), own)
    model(batch)
    assert not same(model.state_dict(), own)  # batches are counted again


def test_a_gradient_that_is_not_finite_is_said():
    model = nn.Linear(1, 1)
    (model(torch.ones(1, 1)) * torch.inf).sum().backward()
    with pytest.raises(FloatingPointError, match="gradient"), climbed(model, 0.1):
        pass
