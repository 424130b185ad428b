"""Maps that depend on weights, and maps that do not."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_gradient_magnitude
from torch import nn

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain import sanity
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model

SHAPE = (32, 40, 48)
MASK = np.ones(SHAPE, bool)


def gradients(model: nn.Module, image: torch.Tensor) -> np.ndarray:
    image = image.clone().requires_grad_()
    logits = model(image)
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], image)
    return gradient[0, 0].numpy()


def edges(_model: nn.Module, image: torch.Tensor) -> np.ndarray:
    return gaussian_gradient_magnitude(image[0, 0].numpy(), 1)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model(ModelConfig(name="resnet10", widths=(4, 4, 8, 8))).eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand((1, 1, *SHAPE), generator=torch.Generator().manual_seed(1))


def test_gradients_lose_their_likeness_and_edges_keep_it(model: nn.Module, image: torch.Tensor):
    before = {name: values.clone() for name, values in model.state_dict().items()}
    methods = {"gradients": gradients, "edges": edges}
    curve = sanity.randomisation_curve(model, image, methods, MASK, levels=3).set_index(["method", "level"])
    assert curve.loc[("gradients", 0), "spearman"] == pytest.approx(1)
    assert abs(curve.loc[("gradients", 3), "spearman"]) < 0.2
    assert curve.loc["edges", "spearman"].to_numpy() == pytest.approx(1)
    assert curve.loc["edges", "ssim"].to_numpy() == pytest.approx(1)
    assert all(torch.equal(before[name], values) for name, values in model.state_dict().items())


def test_layers_are_randomised_from_the_top(model: nn.Module, image: torch.Tensor):
    layers = sanity.layers_from_top(model, image)
    names = [next(iter(layer)) for layer in layers]
    assert names[0].startswith("fc")
    assert {name for layer in layers for name in layer} == {
        name for name, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None
    }
    seen = []
    for layer, network in sanity.randomised_cascade(model, image):
        seen.append(layer)
        lowest = [p for n, p in network.named_parameters() if n.startswith(f"{names[-1]}.")]
        trained = [p for n, p in model.named_parameters() if n.startswith(f"{names[-1]}.")]
        untouched = all(torch.equal(a, b) for a, b in zip(lowest, trained, strict=True))
        assert untouched == (layer != names[-1])
        assert not torch.equal(network.get_submodule(names[0]).weight, model.get_submodule(names[0]).weight)
    assert seen == names


def test_weights_that_no_call_reaches_are_randomised_with_the_layer_that_uses_them():
    class Attentive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.randn(1, 4, 8))
            self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 2)
            self.unused = nn.Linear(3, 3)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            x = image.mean() + self.token
            return self.head(self.mix(x, x, x)[0].mean(1))

    torch.manual_seed(0)
    layers = sanity.layers_from_top(Attentive(), torch.rand(1, 1, 2, 3, 4))
    assert [set(layer) for layer in layers] == [{"head"}, {"mix", "mix.out_proj"}, {"", "unused"}]


def test_levels_that_a_network_does_not_have_are_refused(model: nn.Module, image: torch.Tensor):
    with pytest.raises(ConfigError, match="0 levels of randomisation: the network has"):
        next(sanity.randomised_cascade(model, image, levels=0))


def test_the_seed_decides(model: nn.Module, image: torch.Tensor):
    ends = [list(sanity.randomised_cascade(model, image, levels=1, seed=seed))[-1][1] for seed in (0, 0, 1)]
    first, same, other = (end.state_dict()["fc.weight"] for end in ends)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_comparisons_beside_their_null():
    rng = np.random.default_rng(0)
    truths = {name: rng.random((4, 5, 6)) for name in "abc"}
    masks = {name: rng.random((4, 5, 6)) > 0.3 for name in "abc"}
    good = [{n: t + 0.1 * rng.random(t.shape) for n, t in truths.items()} for _ in range(2)]
    bad = [{n: rng.random(t.shape) for n, t in truths.items()}]
    null = sanity.null_similarity(good[0], masks)
    assert len(null) == 3
    assert null["spearman"].abs().max() < 0.5
    crossed = sanity.null_similarity(good[0], masks, others=good[1])
    assert len(crossed) == 6  # each eye by one network with each other eye by the second
    assert crossed["spearman"].abs().max() < 0.5
    repeated = sanity.repeatability(good, masks)
    assert len(repeated) == 3
    assert repeated["spearman"].min() > 0.9
    table = sanity.label_randomisation(good, bad, masks)
    means = table.groupby("kind")["spearman"].agg(["mean", "size"])
    assert means["size"].to_dict() == {"shuffled labels": 6, "true labels": 3}
    assert means.loc["true labels", "mean"] > 0.9
    assert abs(means.loc["shuffled labels", "mean"]) < 0.3
    assert len(sanity.null_similarity(good[0], masks, pairs=2)) == 2
    with pytest.raises(DataError, match="no eye has maps by two networks"):
        sanity.repeatability([{"a": truths["a"]}, {"b": truths["b"]}], masks)
    with pytest.raises(DataError, match="at least 2 eyes"):
        sanity.null_similarity({"a": truths["a"]}, masks)
