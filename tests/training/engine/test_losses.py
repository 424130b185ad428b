"""Losses against torch's own and against values worked out by hand."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import binary_cross_entropy, cross_entropy

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.training.engine.config import LossConfig
from octa_kedro.training.engine.losses import log_of_rest, make_loss

NAMES = ("cross_entropy", "nll", "bce", "mse", "focal")
LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 4.0]])
TARGETS = torch.tensor([0, 1, 2, 0])


def losses_of(name, shares, target=0, **more):
    """The loss of one image with these predicted probabilities."""
    loss = make_loss(LossConfig(name=name, **more), list(range(len(shares))), len(shares))
    return float(loss.per_image(torch.tensor([shares]).log(), loss.soft(torch.tensor([target]))))


@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_weighted_cross_entropy_is_torchs(name):
    loss = make_loss(LossConfig(name=name), [0] * 4 + [1] * 2 + [2], 3)
    torch.testing.assert_close(loss.class_weights, torch.tensor([3 / 7, 6 / 7, 12 / 7]))
    each, weights = loss.per_image(LOGITS, loss.soft(TARGETS)), loss.weights(TARGETS)
    mean = (each * weights).sum() / weights.sum()
    torch.testing.assert_close(mean, cross_entropy(LOGITS, TARGETS, loss.class_weights))


def test_smoothed_cross_entropy_is_torchs():
    loss = make_loss(LossConfig(label_smoothing=0.1, class_weights=None), [0, 1, 2], 3)
    torch.testing.assert_close(loss.soft(torch.tensor([1])), torch.tensor([[1 / 30, 28 / 30, 1 / 30]]))
    expected = cross_entropy(LOGITS, TARGETS, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(loss.per_image(LOGITS, loss.soft(TARGETS)), expected)


def test_values_worked_out_by_hand():
    shares = [0.5, 0.3, 0.2]
    assert losses_of("cross_entropy", shares) == pytest.approx(-math.log(0.5))
    assert losses_of("mse", shares) == pytest.approx(0.25 + 0.09 + 0.04)
    assert losses_of("bce", shares) == pytest.approx(-(math.log(0.5) + math.log(0.7) + math.log(0.8)) / 3)
    assert losses_of("focal", shares) == pytest.approx(-0.25 * math.log(0.5))
    assert losses_of("focal", shares, focal_gamma=0.5) == pytest.approx(-(0.5**0.5) * math.log(0.5))
    assert losses_of("focal", shares, focal_gamma=0) == pytest.approx(-math.log(0.5))
    # Smoothing .3 makes the target .8, .1, .1.
    smoothed = -(0.8 * math.log(0.5) + 0.1 * math.log(0.3) + 0.1 * math.log(0.2))
    assert losses_of("cross_entropy", shares, label_smoothing=0.3) == pytest.approx(smoothed)
    assert losses_of("mse", shares, label_smoothing=0.3) == pytest.approx(0.09 + 0.04 + 0.01)


def test_binary_cross_entropy_is_torchs_and_with_two_classes_the_cross_entropy():
    loss = make_loss(LossConfig(name="bce", label_smoothing=0.1), [0, 1, 2], 3)
    soft = loss.soft(TARGETS)
    expected = binary_cross_entropy(torch.softmax(LOGITS, dim=1), soft, reduction="none").mean(dim=1)
    torch.testing.assert_close(loss.per_image(LOGITS, soft), expected)
    two, entropy = (make_loss(LossConfig(name=name), [0, 1], 2) for name in ("bce", "cross_entropy"))
    pair, soft = LOGITS[:, :2], two.soft(torch.tensor([0, 1, 1, 0]))
    torch.testing.assert_close(two.per_image(pair, soft), entropy.per_image(pair, soft))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("target", [0, 1])
def test_sure_networks_have_finite_losses_and_slopes(name, gamma, target):
    logits = torch.tensor([[100.0, -100.0, 0.0]], requires_grad=True)
    loss = make_loss(LossConfig(name=name, focal_gamma=gamma), [0, 1, 2], 3)
    value = loss.per_image(logits, loss.soft(torch.tensor([target])))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(logits.grad).all()
    assert (float(value.detach()) < 1e-6) == (target == 0)
    if target == 1 and name != "mse":  # Brier's score is flat where a network is surely wrong
        assert logits.grad[0, 1] < -0.3


@pytest.mark.parametrize("name", NAMES)
def test_slopes_agree_with_differences(name):
    loss = make_loss(LossConfig(name=name), [0, 1, 2], 3)
    soft = torch.tensor([[0.7, 0.3, 0.0]])
    logits = torch.tensor([[0.4, -0.3, 1.1]], requires_grad=True)
    loss.per_image(logits, soft).sum().backward()
    for k, step in enumerate(0.01 * torch.eye(3)):
        with torch.no_grad():
            slope = (loss.per_image(logits + step, soft) - loss.per_image(logits - step, soft)) / 0.02
        assert float(slope) == pytest.approx(float(logits.grad[0, k]), abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_full(name):
    loss = make_loss(LossConfig(name=name), [0, 1, 2], 3)
    half = LOGITS.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        each = loss.per_image(half, loss.soft(TARGETS))
    assert each.dtype == torch.float32
    torch.testing.assert_close(each, loss.per_image(half.float(), loss.soft(TARGETS)), rtol=0, atol=0)


def test_logarithm_of_what_is_left():
    log_p = torch.log_softmax(torch.tensor([[20.0, 0.0, 0.0]]), dim=1)
    # p_0 = 1 - 2 e^-20 rounds to 1 in float32; what is left of it does not vanish.
    assert float(log_of_rest(log_p)[0, 0]) == pytest.approx(math.log(2) - 20, abs=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_mixed_images_count_the_mixture_of_their_weights(smoothing):
    config = LossConfig(class_weights=(1.0, 3.0), label_smoothing=smoothing)
    loss = make_loss(config, [0, 1], 2)
    soft = loss.soft(torch.tensor([0, 1]))
    torch.testing.assert_close(loss.weights(soft), torch.tensor([1.0, 3.0]))
    mixed = 0.75 * soft[:1] + 0.25 * soft[1:]
    torch.testing.assert_close(loss.weights(mixed), torch.tensor([1.5]))
    torch.testing.assert_close(loss.weights(torch.tensor([1, 0, 1])), torch.tensor([3.0, 1.0, 3.0]))


def test_weights_are_optional():
    loss = make_loss(LossConfig(class_weights=None), [0, 0, 0, 1], 2)
    assert loss.weights(torch.tensor([0, 1])).tolist() == [1.0, 1.0]


def test_class_without_training_images():
    with pytest.raises(DataError, match="a class has no training subject in this fold"):
        make_loss(LossConfig(class_weights=None), [0, 0, 2], 3)


def test_wrong_parameters_are_named():
    with pytest.raises(ConfigError, match="class_weights has 2 numbers, but there are 3 classes"):
        make_loss(LossConfig(class_weights=(1.0, 2.0)), [0, 1, 2], 3)
    with pytest.raises(ValidationError, match="label_smoothing: nll has none"):
        LossConfig(name="nll", label_smoothing=0.1)
    with pytest.raises(ValidationError, match="every class weight has to be a number above 0"):
        LossConfig(class_weights=(1.0, 0.0))
    with pytest.raises(ValidationError, match="name"):
        LossConfig.model_validate({"name": "hinge"})
