"""Mirror images for test-time augmentation, and the mean of what is predicted from them."""

import pytest
import torch

from octa_kedro.training.data.config import ViewsConfig
from octa_kedro.training.data.views import mean_logits, views_of


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 1, 3, 4, 5)])
def test_x_is_the_last_axis_and_y_the_one_before(shape):
    images = torch.rand(shape)
    kept = images.clone()
    assert [one is images for one in views_of(images, ViewsConfig())] == [True]
    same, flipped = views_of(images, ViewsConfig(flip_x=True))
    assert same is images
    assert torch.equal(flipped, images[..., torch.arange(4, -1, -1)])
    _, flipped = views_of(images, ViewsConfig(flip_y=True))
    assert torch.equal(flipped, images[..., torch.arange(3, -1, -1), :])
    same, along_x, along_y, both = views_of(images, ViewsConfig(flip_x=True, flip_y=True))
    assert torch.equal(along_x.flip(-1), images)
    assert torch.equal(along_y.flip(-2), images)
    assert torch.equal(both, images.flip(-1).flip(-2))
    assert torch.equal(images, kept)


def test_probabilities_are_averaged_by_hand():
    first, second = torch.tensor([[0.9, 0.1]]).log() + 5, torch.tensor([[0.3, 0.7]]).log()
    torch.testing.assert_close(mean_logits([first, second]).exp(), torch.tensor([[0.6, 0.4]]))
    assert mean_logits([first]) is first


def test_sure_views_stay_finite():
    sure = torch.tensor([[200.0, -200.0]])
    pooled = mean_logits([sure, -sure])
    torch.testing.assert_close(pooled.exp(), torch.tensor([[0.5, 0.5]]))
    assert torch.isfinite(mean_logits([sure, sure])).all()


def test_a_network_that_does_not_care_for_mirrors_predicts_the_same():
    images = torch.rand(4, 2, 3, 3)
    logits = [one.mean(dim=(2, 3)) for one in views_of(images, ViewsConfig(flip_x=True, flip_y=True))]
    torch.testing.assert_close(torch.softmax(mean_logits(logits), 1), torch.softmax(logits[0], 1))
