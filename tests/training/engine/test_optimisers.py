"""Optimisers by name: what they are made of, and that their state can be saved in the middle."""

import pytest
import torch
from pydantic import ValidationError

from octa_kedro.errors import ConfigError
from octa_kedro.training.engine.config import OptimiserConfig, optimiser_names
from octa_kedro.training.engine.optimisers import make_optimiser
from octa_kedro.training.state.state_file import load_state, save_state


def make_model(seed=0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv3d(1, 4, 2), torch.nn.Flatten(), torch.nn.Linear(32, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2)
    )


def train(model, optimiser, steps):
    for step in steps:
        stream = torch.Generator().manual_seed(step)
        images, targets = torch.rand(5, 1, 3, 3, 3, generator=stream), torch.randint(2, (5,), generator=stream)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images), targets).backward()
        optimiser.step()


@pytest.mark.parametrize("name", optimiser_names())
def test_saved_in_the_middle_it_goes_on_with_the_same_bits(name, tmp_path):
    config = OptimiserConfig(name=name)
    whole = make_model()
    optimiser = make_optimiser(whole.parameters(), config)
    train(whole, optimiser, range(3))
    before = [weight.clone() for weight in whole.parameters()]
    save_state(tmp_path / "state", {"model": whole.state_dict(), "optimiser": optimiser.state_dict()})
    train(whole, optimiser, range(3, 7))

    resumed = make_model(seed=1)
    again = make_optimiser(resumed.parameters(), config)
    state = load_state(tmp_path / "state")
    resumed.load_state_dict(state["model"])
    again.load_state_dict(state["optimiser"])
    train(resumed, again, range(3, 7))
    pairs = list(zip(whole.parameters(), resumed.parameters(), strict=True))
    assert all(torch.equal(one, other) for one, other in pairs)
    assert all(torch.isfinite(one).all() for one, _ in pairs)
    assert any(not torch.equal(old, new) for old, new in zip(before, whole.parameters(), strict=True))


@pytest.mark.parametrize("name", ["sgd", "asgd", "adam", "adamw", "adagrad", "adadelta", "rmsprop"])
def test_torchs_own_are_torchs(name):
    optimiser = make_optimiser(make_model().parameters(), OptimiserConfig(name=name))
    assert type(optimiser).__module__ == f"torch.optim.{name}"
    group = optimiser.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (1e-3, 1e-2)
    if name in {"sgd", "rmsprop"}:
        assert group["momentum"] == 0.9


@pytest.mark.parametrize("name", ["lion", "adamp", "lamb", "nadamw", "sgdp"])
def test_timms_are_timms(name):
    config = OptimiserConfig(name=name, learning_rate=0.5, weight_decay=0.25, momentum=0.75)
    optimiser = make_optimiser(make_model().parameters(), config)
    assert type(optimiser).__module__.startswith("timm.optim.")
    group = optimiser.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.25)
    assert group.get("momentum", 0.75) == 0.75


def test_one_step_of_plain_descent_by_hand():
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    config = OptimiserConfig(name="sgd", learning_rate=0.1, weight_decay=0.5)
    optimiser = make_optimiser([weight], config)
    # With the decay the gradient is 1.5, then 1 + .5 * .85 = 1.425; the speed is 1.5, then .9 * 1.5 + 1.425 = 2.775.
    for expected in ([0.85, -1.7], [0.5725, -1.145]):
        weight.grad = torch.tensor([1.0, -2.0])
        optimiser.step()
        torch.testing.assert_close(weight.detach(), torch.tensor(expected))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_fused_where_torch_has_it(name):
    model, config = make_model(), OptimiserConfig(name=name)
    assert make_optimiser(model.parameters(), config).param_groups[0]["fused"]
    assert not make_optimiser(model.parameters(), config, fused=False).param_groups[0]["fused"]
    asked = OptimiserConfig(name=name, options={"fused": False})
    assert not make_optimiser(model.parameters(), asked).param_groups[0]["fused"]


def test_options_reach_the_optimiser():
    config = OptimiserConfig.model_validate({"name": "lion", "options": {"betas": [0.8, 0.7], "caution": True}})
    group = make_optimiser(make_model().parameters(), config).param_groups[0]
    assert (group["betas"], group["caution"]) == ((0.8, 0.7), True)


def test_frozen_weights_are_left_out():
    model = make_model()
    model[0].requires_grad_(False)
    optimiser = make_optimiser(model.parameters(), OptimiserConfig())
    assert len(optimiser.param_groups[0]["params"]) == 4
    model.requires_grad_(False)
    with pytest.raises(ConfigError, match=r"start\.frozen_stages"):
        make_optimiser(model.parameters(), OptimiserConfig())


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"name": "adamv"}, "name: there is no optimiser adamv; .*adamw"),
        ({"name": "zzzzzz"}, "near or common ones are sgd, asgd"),
        ({"name": "bnbadam"}, "no optimiser bnbadam"),
        ({"options": {"beta": [0.9, 0.9]}}, r"options\.beta: adamw has no such option; it has betas"),
        ({"name": "lion", "options": {"zzz": 1}}, r"options\.zzz: lion has no such option; it has betas, "),
        ({"options": {"lr": 1}}, r"options\.lr: set learning_rate instead"),
        ({"options": {"params": 1}}, r"options\.params: adamw has no such option"),
        ({"options": {"betas": [2, 2]}}, "options: adamw refuses them: Invalid beta"),
        ({"options": {"eps": "tiny"}}, "options: adamw refuses them"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"nesterov": True}, "nesterov"),
    ],
)
def test_wrong_parameters_are_named(given, match):
    with pytest.raises(ValidationError, match=match):
        OptimiserConfig.model_validate(given)
