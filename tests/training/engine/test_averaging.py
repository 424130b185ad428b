"""The moving average of weights: by hand, with batch norm and frozen stages, and resumed."""

import pytest
import torch
from torch import nn

from octa_kedro.errors import CheckpointError
from octa_kedro.models.stages import freeze
from octa_kedro.training.engine.averaging import Averager, EpochAverager
from octa_kedro.training.state.state_file import load_state, save_state


def make_model(seed=0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def step(model, optimiser, number):
    stream = torch.Generator().manual_seed(number)
    model.train()
    optimiser.zero_grad()
    model(torch.rand(4, 1, 3, 3, generator=stream)).square().mean().backward()
    optimiser.step()


def bits(state):
    return {name: tensor.clone() for name, tensor in state.items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_average_by_hand():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    averager = Averager(model, decay=0.2)
    nn.init.constant_(model.weight, 12.0)
    averager.update(model)  # the decay is 2 / 11
    assert float(averager.weights["weight"]) == pytest.approx(1 * 2 / 11 + 12 * 9 / 11)
    nn.init.constant_(model.weight, 0.0)
    averager.update(model)  # 3 / 12 is more than .2
    assert float(averager.weights["weight"]) == pytest.approx(10 * 0.2)
    assert float(model.weight.detach()) == 0.0


def test_statistics_are_averaged_and_counters_copied():
    model = make_model()
    averager = Averager(model, decay=0.999)
    before = averager.weights["1.running_mean"].clone()
    step(model, torch.optim.SGD(model.parameters(), lr=0.1), 0)
    averager.update(model)
    expected = before * 2 / 11 + model[1].running_mean * 9 / 11
    torch.testing.assert_close(averager.weights["1.running_mean"], expected)
    assert averager.weights["1.num_batches_tracked"] == 1


def test_it_is_applied_for_a_while_and_the_training_goes_on_with_the_same_bits():
    models = [make_model(), make_model()]
    optimisers = [torch.optim.AdamW(model.parameters(), lr=0.1) for model in models]
    averagers = [Averager(model) for model in models]
    for number in range(4):
        for model, optimiser, averager in zip(models, optimisers, averagers, strict=True):
            step(model, optimiser, number)
            averager.update(model)
        own = bits(models[0].state_dict())
        with averagers[0].applied(models[0]) as applied:
            assert applied is models[0]
            assert same(applied.state_dict(), averagers[0].weights)
            assert not same(applied.state_dict(), own)
            applied.eval()(torch.ones(1, 1, 3, 3))
        assert same(models[0].state_dict(), own)
    assert same(models[0].state_dict(), models[1].state_dict())
    assert same(averagers[0].weights, averagers[1].weights)


def test_weights_come_back_after_an_error():
    model = make_model()
    averager = Averager(model)
    step(model, torch.optim.SGD(model.parameters(), lr=0.1), 0)
    own = bits(model.state_dict())
    with pytest.raises(KeyError), averager.applied(model):
        raise KeyError
    assert same(model.state_dict(), own)


def test_frozen_stages_stay_as_they_are():
    model = make_model()
    model.stage_names = ("1",)
    assert freeze(model, 1) == ("0.weight", "0.bias", "1.weight", "1.bias")
    start = bits(model.state_dict())
    averager = Averager(model)
    optimiser = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)
    for number in range(3):
        step(model, optimiser, number)
        averager.update(model)
    with averager.applied(model):
        model.train()
        assert not model[1].training
        model(torch.rand(4, 1, 3, 3))
    for name in ("0.weight", "1.weight", "1.running_mean", "1.running_var"):
        assert torch.equal(averager.weights[name], start[name])
    assert not torch.equal(averager.weights["3.weight"], start["3.weight"])


def test_resumed_in_the_middle_it_has_the_same_bits(tmp_path):
    whole, resumed = make_model(), make_model(seed=1)
    optimiser, averager = torch.optim.SGD(whole.parameters(), lr=0.1), Averager(whole)
    for number in range(3):
        step(whole, optimiser, number)
        averager.update(whole)
    save_state(tmp_path / "state", {"model": whole.state_dict(), "average": averager.state_dict()})
    state = load_state(tmp_path / "state")
    resumed.load_state_dict(state["model"])
    again = Averager(resumed)
    again.load_state_dict(state["average"])
    other = torch.optim.SGD(resumed.parameters(), lr=0.1)
    for number in range(3, 6):
        for model, mover, average in ((whole, optimiser, averager), (resumed, other, again)):
            step(model, mover, number)
            average.update(model)
    assert again.steps == 6
    assert same(averager.weights, again.weights)


def images(number=3):
    return [torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(100 + n)) for n in range(number)]


def test_epochs_are_averaged_evenly():
    model = nn.Linear(1, 1, bias=False)
    averager = EpochAverager(model)
    for weight in (3.0, 6.0, 12.0):
        nn.init.constant_(model.weight, weight)
        averager.update(model)
    assert float(averager.weights["weight"]) == pytest.approx(7)


def test_statistics_of_the_average_are_those_of_the_images_it_sees():
    model = make_model()
    averager, optimiser = EpochAverager(model), torch.optim.SGD(model.parameters(), lr=0.5)
    for number in range(2):
        step(model, optimiser, number)
        averager.update(model)
    own = bits(model.state_dict())
    averager.renew_statistics(model, images())
    assert same(model.state_dict(), own)
    seen = [nn.functional.conv2d(one, averager.weights["0.weight"], averager.weights["0.bias"]) for one in images()]
    for name, found in (
        ("mean", torch.stack([one.mean((0, 2, 3)) for one in seen]).mean(0)),
        ("var", torch.stack([one.var((0, 2, 3)) for one in seen]).mean(0)),
    ):
        torch.testing.assert_close(averager.weights[f"1.running_{name}"], found)


def test_renewed_statistics_of_a_frozen_stage_stay():
    model = make_model()
    model.stage_names = ("1",)
    freeze(model, 1)
    model[1].running_mean.fill_(7)
    averager = EpochAverager(model)
    averager.renew_statistics(model, images())
    assert averager.weights["1.running_mean"].tolist() == [7, 7, 7]


def test_average_of_another_network_is_refused():
    averager = Averager(make_model())
    before = bits(averager.weights)
    with pytest.raises(CheckpointError, match="of another network"):
        averager.load_state_dict(Averager(nn.Linear(1, 1)).state_dict())
    assert same(averager.weights, before)


def test_several_types_of_weights():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False).double())
    averager = Averager(model)
    start = bits(averager.weights)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(11)
    averager.update(model)
    for name, tensor in averager.weights.items():
        torch.testing.assert_close(tensor, start[name] + 9)
