"""Averages of a network's weights over its training, which generalise better than those of the last step."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from octa_kedro.errors import CheckpointError


class Averager:
    """The exponential moving average of a network's parameters and normalisation statistics over its steps.

    After step n it moves by 1 - min(decay, (1 + n) / (10 + n)) towards the network, so that the random start is soon
    forgotten. What is not a fraction (the counters of batch norm) is copied. Tensors are kept by name, not a second
    network, so that nothing can differ but the weights.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.steps = 0
        self.weights = _copy(model)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Update the average with the weights of `model` after a step of its optimiser."""
        self.steps += 1
        current = model.state_dict()
        moving = [name for name, tensor in current.items() if tensor.is_floating_point()]
        average = self._average()
        for group in _of_one_kind(current, moving):
            average([self.weights[name] for name in group], [current[name] for name in group], self.steps - 1)
        for name in current.keys() - set(moving):
            self.weights[name].copy_(current[name])

    def _average(self) -> Callable[[Any, Any, Any], None]:
        return get_ema_multi_avg_fn(min(self.decay, (1 + self.steps) / (10 + self.steps)))

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """`model` with the average as its weights inside the block, and with exactly its own weights after it.

        Its weights must not be trained inside the block; what evaluation changes in it is undone.
        """
        own = _copy(model)
        _fill(model, self.weights)
        try:
            yield model
        finally:
            _fill(model, own)

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of steps it has seen; the tensors are those that `update` changes."""
        return {"steps": self.steps, "weights": self.weights}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from an average of the same network; CheckpointError, and nothing is changed, for another network."""
        shapes = {name: tensor.shape for name, tensor in self.weights.items()}
        if {name: tensor.shape for name, tensor in state["weights"].items()} != shapes:
            raise CheckpointError("the saved average of weights is of another network; train from the start")
        self.steps = state["steps"]
        for name, tensor in self.weights.items():
            tensor.copy_(state["weights"][name])


class EpochAverager(Averager):
    """The plain mean of a network's weights after several epochs (SWA, Izmailov et al. 2018).

    Batch statistics belong to weights, so those of the mean are not the mean of those of the epochs: they are measured
    anew by `renew_statistics`.
    """

    def _average(self) -> Callable[[Any, Any, Any], None]:
        return get_swa_multi_avg_fn()

    def renew_statistics(self, model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
        """Measure the batch-norm statistics of the average on the images of `batches`, each ``(N, C, ...)``; frozen
        layers keep theirs. `model` lends its layers and gets its own weights back."""
        with self.applied(model):
            model.train()
            moving = {name for name, layer in model.named_modules() if isinstance(layer, _BatchNorm) and layer.training}
            update_bn(batches, model)
            for name, tensor in model.state_dict().items():
                if name.rpartition(".")[0] in moving:
                    self.weights[name].copy_(tensor)


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    """The model's state, where it is now, in tensors of its own."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@torch.no_grad()
def _fill(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Copy `weights` into the model's own tensors, so that its optimiser still holds them."""
    for name, tensor in model.state_dict().items():
        tensor.copy_(weights[name])


def _of_one_kind(tensors: dict[str, torch.Tensor], names: list[str]) -> list[list[str]]:
    """`names` in groups of one type and device, which is what torch moves in one go."""
    groups: dict[tuple[torch.dtype, torch.device], list[str]] = {}
    for name in names:
        groups.setdefault((tensors[name].dtype, tensors[name].device), []).append(name)
    return list(groups.values())
