"""Mixup: what is mixed with what, and that chance comes from its stream."""

import pytest
import torch

from octa_kedro.training.data.mixup import mix
from octa_kedro.training.engine.seeding import generator

SOFT = torch.eye(4)


def images_of(soft):
    """Images ``(N, 1, 2, 2, 2)`` from which each one's share in a mixture can be read: 1, 10, 100 and 1000."""
    values = (soft * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum(dim=1)
    return values.reshape(-1, 1, 1, 1, 1).expand(-1, 1, 2, 2, 2).contiguous()


def test_targets_are_mixed_as_images_are():
    for number in range(20):
        images, soft = mix(images_of(SOFT), SOFT, 0.4, generator(number, "mixup"))
        torch.testing.assert_close(images, images_of(soft))
        torch.testing.assert_close(soft.sum(dim=1), torch.ones(4))
        torch.testing.assert_close(soft.sum(dim=0), torch.ones(4))  # every image is a partner once


def test_inputs_are_unchanged_and_alpha_0_is_off():
    images, soft = images_of(SOFT), SOFT.clone()
    stream = generator(0)
    before = stream.get_state()
    assert mix(images, soft, 0.0, stream) == (images, soft)
    assert torch.equal(stream.get_state(), before)
    mix(images, soft, 1.0, stream)
    assert torch.equal(soft, SOFT)
    assert torch.equal(images, images_of(SOFT))


def test_chance_is_the_streams():
    stream = generator(3, "mixup")
    mix(images_of(SOFT), SOFT, 1.0, stream)
    state = stream.get_state()
    torch.manual_seed(0)
    _, first = mix(images_of(SOFT), SOFT, 1.0, stream)
    torch.manual_seed(1)
    _, second = mix(images_of(SOFT), SOFT, 1.0, torch.Generator().set_state(state))
    assert torch.equal(first, second)
    _, third = mix(images_of(SOFT), SOFT, 1.0, stream)
    assert not torch.equal(second, third)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_of_a_beta_distribution(alpha):
    stream, shares = generator(0, alpha), []
    hard = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    while len(shares) < 2000:
        _, soft = mix(hard, hard, alpha, stream)
        if not torch.equal(soft, hard):  # not its own partner
            shares.append(float(soft[0, 0]))
    drawn = torch.tensor(shares)
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.04)
    # The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
    assert float(drawn.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
