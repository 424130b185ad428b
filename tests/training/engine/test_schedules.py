"""Learning rates over a training, against values worked out by hand and torch's one cycle."""

import json
import math

import pytest
import torch
from pydantic import ValidationError
from torch.optim.lr_scheduler import OneCycleLR

from octa_kedro.training.engine.config import OptimiserConfig, ScheduleConfig
from octa_kedro.training.engine.optimisers import make_optimiser
from octa_kedro.training.engine.schedules import make_schedule

NAMES = ("one_cycle", "constant", "step", "cosine", "plateau")
STEPS = 5  # an epoch


def make_one(name="adamw"):
    """An optimiser of one weight with a gradient."""
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return make_optimiser([weight], OptimiserConfig(name=name, learning_rate=0.1))


def make(config, epochs=4, steps=STEPS, **more):
    optimiser = make_one()
    return optimiser, make_schedule(optimiser, ScheduleConfig(**config), epochs=epochs, steps_per_epoch=steps, **more)


def run(optimiser, schedule, values, steps=STEPS):
    """What each step used: rate, momentum, betas; `values` are the metric after each epoch."""
    used = []
    for value in values:
        for _ in range(steps):
            group = optimiser.param_groups[0]
            assert schedule.rate == group["lr"]
            used.append((group["lr"], group.get("momentum"), group.get("betas")))
            optimiser.step()
            schedule.after_step()
        schedule.after_epoch(value)
    return used


def rates(config, values=(1.0,) * 4, steps=STEPS, **more):
    return [used[0] for used in run(*make(config, len(values), steps, **more), values, steps)]


@pytest.mark.parametrize("name", ["adamw", "sgd", "rmsprop", "adan", "asgd", "adagrad"])
def test_one_cycle_is_torchs(name):
    optimiser = make_one(name)
    used = run(optimiser, make_schedule(optimiser, ScheduleConfig(), epochs=4, steps_per_epoch=5), [1.0] * 4)
    other = make_one(name)
    with_momentum = name not in {"asgd", "adagrad"}
    cycle = OneCycleLR(other, max_lr=0.1, total_steps=20, pct_start=0.2, cycle_momentum=with_momentum)
    for rate, momentum, betas in used:
        group = other.param_groups[0]
        assert (rate, momentum, betas) == (group["lr"], group.get("momentum"), group.get("betas"))
        other.step()
        cycle.step()


def test_one_cycle_by_hand():
    found = rates({"warm_up": 0.5}, [1.0] * 2)  # the highest rate at step .5 * 10 - 1
    assert found[0] == pytest.approx(0.1 / 25)
    assert found[2] == pytest.approx(0.1 / 25 + (0.1 - 0.1 / 25) / 2)
    assert found[4] == pytest.approx(0.1)
    assert found[9] == pytest.approx(0.1 / 25 / 1e4)


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (1, 5), (5, 1), (1, 10), (2, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_shortest_trainings(name, epochs, steps):
    found = rates({"name": name}, [1.0] * epochs, steps)
    assert all(0 <= rate <= 0.1 for rate in found)
    assert max(found) > 0.001


def test_constant_and_step_and_cosine_by_hand():
    assert rates({"name": "constant"}) == [0.1] * 20
    step = rates({"name": "step", "step_epochs": 2, "gamma": 0.5}, [1.0] * 5)
    assert step == pytest.approx([0.1] * 10 + [0.05] * 10 + [0.025] * 5)
    cosine = rates({"name": "cosine", "floor": 0.1}, [1.0], steps=5)
    fall = [1, 0.5 + 0.5 / math.sqrt(2), 0.5, 0.5 - 0.5 / math.sqrt(2), 0]
    assert cosine == pytest.approx([0.1 * (0.1 + 0.9 * share) for share in fall])


def test_warm_up_by_hand():
    rise = [0.1 / 5, 0.2 / 5, 0.3 / 5, 0.4 / 5]  # .2 of 20 steps
    assert rates({"name": "constant", "warm_up": 0.2}) == pytest.approx(rise + [0.1] * 16)
    step = rates({"name": "step", "warm_up": 0.2, "step_epochs": 1, "gamma": 0.5})
    assert step == pytest.approx([*rise, 0.1, *[0.05] * 5, *[0.025] * 5, *[0.0125] * 5])
    cosine = rates({"name": "cosine", "warm_up": 0.2}, [1.0], steps=5)  # one step of warm-up
    assert cosine == pytest.approx([0.05, 0.1, 0.075, 0.025, 0.0], abs=1e-12)
    plateau = rates({"name": "plateau", "warm_up": 0.2, "patience": 0, "factor": 0.5}, [1.0, 1.0, 0.5, 0.4])
    assert plateau == pytest.approx([*rise, 0.1, *[0.1] * 5, *[0.05] * 10])


def test_plateau_by_hand():
    config = {"name": "plateau", "patience": 1, "factor": 0.5, "floor": 0.2}
    values = [1.0, 0.9, 0.95, 0.92, 0.91, 0.93, 0.94, 0.95, 0.96]
    # Worse than .9 twice after the fourth, the sixth and the eighth epoch; .0125 would be below the floor.
    expected = [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.02]
    assert rates(config, values, steps=1) == pytest.approx(expected)
    upwards = [-value for value in values]
    assert rates(config, upwards, steps=1, better="larger") == pytest.approx(expected)
    assert rates(config, [1.0, 1.1, 1.2, 1.3, 1.4], steps=1, better="larger") == [0.1] * 5


@pytest.mark.parametrize("optimiser_first", [True, False])
@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("config", [{}, *({"name": name, "warm_up": 0.3, "patience": 0} for name in NAMES)])
def test_resumed_in_the_middle_the_rates_are_the_same(config, stop, optimiser_first):
    values = [1.0, 1.0, 0.9, 1.0]
    whole = run(*make(config), values)
    optimiser, schedule = make(config)
    before = run(optimiser, schedule, values[:stop])
    state, place = optimiser.state_dict(), json.loads(json.dumps(schedule.state_dict(), allow_nan=False))
    optimiser, schedule = make(config)
    loads = [lambda: optimiser.load_state_dict(state), lambda: schedule.load_state_dict(place)]
    for load in loads if optimiser_first else reversed(loads):
        load()
    assert before + run(optimiser, schedule, values[stop:]) == whole


def test_state_before_the_first_epoch_is_plain():
    for name in NAMES:
        _, schedule = make({"name": name})
        schedule.load_state_dict(json.loads(json.dumps(schedule.state_dict(), allow_nan=False)))


def test_every_group_keeps_its_share():
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    for weight in weights:
        weight.grad = torch.ones(1)
    for name in NAMES:
        optimiser = torch.optim.SGD([{"params": weights[:1], "lr": 1.0}, {"params": weights[1:], "lr": 0.1}])
        schedule = make_schedule(optimiser, ScheduleConfig(name=name), epochs=2, steps_per_epoch=5)
        for _ in range(7):
            optimiser.step()
            schedule.after_step()
            first, second = (group["lr"] for group in optimiser.param_groups)
            assert second == pytest.approx(first / 10)


@pytest.mark.parametrize(
    "given", [{"name": "cosin"}, {"warm_up": 1.0}, {"gamma": 0}, {"factor": 1}, {"floor": 1}, {"step_epochs": 0}]
)
def test_wrong_parameters_are_named(given):
    with pytest.raises(ValidationError, match=next(iter(given))):
        ScheduleConfig.model_validate(given)
