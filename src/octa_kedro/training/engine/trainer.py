"""A network together with everything that changes while it learns."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from octa_kedro.training.config import FittingConfig
from octa_kedro.training.data.augmentation import Augmenter
from octa_kedro.training.data.dataset import Batch, EyeDataset, loader
from octa_kedro.training.data.order import DeviceBatches, EpochOrder
from octa_kedro.training.engine.averaging import Averager, EpochAverager
from octa_kedro.training.engine.failures import not_finite, reporting_lack_of_memory
from octa_kedro.training.engine.objective import Objective
from octa_kedro.training.engine.optimisers import make_optimiser
from octa_kedro.training.engine.schedules import Schedule, make_schedule
from octa_kedro.training.engine.seeding import derive_seed, generator
from octa_kedro.training.engine.sharpness import climbed

Purpose = tuple[str | int, ...]


@dataclass
class Trainer:
    """Runs epochs of `model` on one of Fabric's devices.

    All random numbers are functions of seed, purpose, epoch and place in the epoch, so `state` holds all that a
    training needs in order to resume with the same bits as without an interruption.
    """

    fabric: Fabric
    model: nn.Module
    wrapped: nn.Module
    objective: Objective
    data: EyeDataset
    order: EpochOrder
    batches: DataLoader
    optimiser: Optimizer
    schedule: Schedule
    average: Averager | None
    config: FittingConfig
    purpose: Purpose

    def epoch(self, number: int) -> float:
        """One pass over the training images; the weighted mean of their losses.

        DivergedError at the first loss or gradient that is not finite, naming epoch, batch and subjects; ConfigError
        if memory runs out.
        """
        self.model.train()
        if self.fabric.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.fabric.device)
        torch.manual_seed(derive_seed(self.config.seed, *self.purpose, "dropout", number, self.fabric.global_rank))
        self._sampler.epoch = number
        dealt, every = self.order.batches(number), self.config.accumulate
        total = weight = 0.0
        for index, batch in enumerate(self.batches):
            step = dealt[index - index % every : index - index % every + every]
            whole = self._weight_of(step)
            last = index % every == every - 1 or index == len(dealt) - 1
            with self._reporting(number, index, dealt[index], tuple(batch.stored.shape)):
                losses = self._learn(batch, (number, index), whole, last=last)
            total += losses
            weight += self._weight_of([dealt[index]])
        self._average_epoch(number)
        sums = self.fabric.all_reduce(
            torch.tensor(total, dtype=torch.float64, device=self.fabric.device), reduce_op="sum"
        )
        return float(sums) / weight

    def _learn(self, batch: Batch, place: tuple[int, int], whole: float, *, last: bool) -> float:
        """Gradients of a batch and, after the `last` of a step, the step; the sum of the weighted losses."""
        images, targets = self._augmented(batch, *place), batch.targets.to(self.fabric.device)
        if self.config.sam is None:
            found = self._gradients(images, targets, place, whole, last=last)
        else:  # twice the same batch, with the same draws of dropout and mixup
            with torch.random.fork_rng([self.fabric.device] if self.fabric.device.type == "cuda" else []):
                found = self._gradients(images, targets, place, whole, last=last)
            with climbed(self.model, self.config.sam):
                self._gradients(images, targets, place, whole, last=last)
        if last:
            self._step()
        return found

    def _gradients(
        self, images: torch.Tensor, targets: torch.Tensor, place: tuple[int, int], whole: float, *, last: bool
    ) -> float:
        """Add the gradients of a batch to those of the step; the sum of the weighted losses."""
        stream = generator(self.config.seed, *self.purpose, "mixup", *place, self.fabric.global_rank)
        with self.fabric.no_backward_sync(self.wrapped, enabled=not last):
            losses = self.objective.losses(self.wrapped, images, targets, stream).sum()
            # Fabric averages the gradients over devices: each device's share of the loss is multiplied by their number.
            self.fabric.backward(losses * (self.fabric.world_size / whole))
        found = float(losses.detach())
        if not math.isfinite(found):
            raise FloatingPointError("loss")
        return found

    def _step(self) -> None:
        if self.config.clip_norm is not None:
            norm = self.fabric.clip_gradients(
                self.wrapped, self.optimiser, max_norm=self.config.clip_norm, error_if_nonfinite=False
            )
        else:
            norm = get_total_norm([p.grad for p in self.model.parameters() if p.grad is not None])
        # With fp16 the loss is scaled until gradients overflow now and then; such a step is left out by the scaler.
        if self.config.precision != "fp16" and norm is not None and not math.isfinite(float(norm)):
            raise FloatingPointError("gradient")
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.schedule.after_step()
        if self.average is not None and self.config.ema:
            self.average.update(self.model)

    def _average_epoch(self, number: int) -> None:
        """Add an epoch's weights to the average of epochs, whose statistics are those of the images as they are."""
        if isinstance(self.average, EpochAverager) and number > (self.config.swa or 0) * self.config.max_epochs:
            self.average.update(self.model)
            with self.fabric.autocast():
                self.average.renew_statistics(self.model, (one.images(self.fabric.device) for one in self.batches))

    def _augmented(self, batch: Batch, number: int, index: int) -> torch.Tensor:
        images = batch.images(self.fabric.device)
        first, every = index * self.order.size + self.fabric.global_rank, self.fabric.world_size
        for place in range(len(images)):
            stream = generator(self.config.seed, *self.purpose, "augmentation", number, first + place * every)
            one = slice(place, place + 1)
            images[one] = Augmenter(self.config.augmentation, stream)(images[one])
        return images

    def _weight_of(self, batches: Sequence[Sequence[int]]) -> float:
        targets = torch.tensor([self.order.targets[i] for batch in batches for i in batch])
        return float(self.objective.weights(targets).sum())

    @contextmanager
    def _reporting(self, number: int, index: int, images: Sequence[int], shape: tuple[int, ...]) -> Iterator[None]:
        """Name epoch and batch if a number is not finite or memory runs out."""
        where = f"{self.name}, epoch {number}, batch {index + 1}"
        with reporting_lack_of_memory(where, shape):
            try:
                yield
            except FloatingPointError as error:
                subjects = list(dict.fromkeys(self.data.subject_of(i) for i in images))
                raise not_finite(where, str(error), subjects) from error

    @property
    def name(self) -> str:
        return " ".join(str(part) for part in self.purpose)

    @property
    def _sampler(self) -> DeviceBatches:
        sampler = self.batches.batch_sampler
        assert isinstance(sampler, DeviceBatches)
        return sampler

    @contextmanager
    def evaluated(self) -> Iterator[nn.Module]:
        """The network that is validated and kept, in evaluation mode: with the averaged weights, once there are any."""
        with self.average.applied(self.model) if self.average is not None and self.average.steps else nullcontext():
            self.model.eval()
            yield self.model

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy, on the CPU, of the weights that are validated."""
        with self.evaluated() as model:
            return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """All that a training needs to resume from here with the same bits."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.fabric._precision.state_dict(),  # the loss scale of fp16
            "average": self.average.state_dict() if self.average is not None else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.fabric._precision.load_state_dict(state["precision"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def make_trainer(
    fabric: Fabric,
    model: nn.Module,
    objective: Objective,
    *,
    data: EyeDataset,
    config: FittingConfig,
    purpose: Purpose,
    better: Literal["smaller", "larger"] = "smaller",
) -> Trainer:
    """Everything that learning needs, on Fabric's device; `purpose` names the random streams, and `better` is the
    direction of the metric that a plateau schedule follows."""
    order = EpochOrder(
        data.image_targets(), config.batch_size, config.seed, purpose, config.sampling, devices=fabric.world_size
    )
    if fabric.world_size > 1 and fabric.device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model = model.to(fabric.device)
    # A fused optimiser removes the loss scale itself, so its gradients could not be clipped before.
    optimiser = make_optimiser(model.parameters(), config.optimiser, fused=config.precision != "fp16")
    steps = math.ceil(len(order) / config.accumulate)
    schedule = make_schedule(optimiser, config.schedule, epochs=config.max_epochs, steps_per_epoch=steps, better=better)
    wrapped, moved = fabric.setup(model, optimiser)
    batches = loader(data, DeviceBatches(order, fabric.global_rank), workers=config.workers, device=fabric.device)
    average = Averager(model, config.ema) if config.ema else EpochAverager(model) if config.swa else None
    return Trainer(fabric, model, wrapped, objective, data, order, batches, moved, schedule, average, config, purpose)
