"""A network together with what moves its weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.utils.data import DataLoader

from octa_kedro.training.augmentation import Augmenter
from octa_kedro.training.config import OptimiserConfig
from octa_kedro.training.seeding import generator, pick_device

WARM_UP = 0.2  # share of all steps in which the rate rises

LossOf = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class Learner:
    """Runs epochs of `model`; `loss_of` takes the model, images ``(N, C, ...)`` and targets ``(N,)``."""

    model: nn.Module
    loss_of: LossOf
    batches: DataLoader
    augment: Augmenter
    optimiser: Optimizer
    schedule: LRScheduler
    device: torch.device

    def epoch(self) -> float:
        """One pass over the training images; the mean loss per image."""
        self.model.train()
        total, count = 0.0, 0
        for images, targets in self.batches:
            loss = self.loss_of(self.model, self.augment(images).to(self.device), targets.to(self.device))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            total += float(loss.detach()) * len(targets)
            count += len(targets)
        return total / max(count, 1)

    @property
    def learning_rate(self) -> float:
        """The rate the next step will use."""
        return float(self.schedule.get_last_lr()[0])

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights on the CPU, which later steps cannot change."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}


def make_learner(
    model: nn.Module, loss_of: LossOf, batches: DataLoader, config: OptimiserConfig, *purpose: str | int
) -> Learner:
    """AdamW on a one-cycle schedule over all epochs (Smith and Topin 2019), on the configured device;
    `purpose` names the random stream of the augmentation."""
    device = pick_device(config.device)
    model.to(device)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = max(2, config.max_epochs * len(batches))
    return Learner(
        model=model,
        loss_of=loss_of,
        batches=batches,
        augment=Augmenter(config.augmentation, generator(config.seed, "augmentation", *purpose)),
        optimiser=optimiser,
        schedule=OneCycleLR(optimiser, max_lr=config.learning_rate, total_steps=steps, pct_start=WARM_UP),
        device=device,
    )
