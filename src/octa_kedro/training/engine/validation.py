"""Validation of a classifier: logits of a data set, and the columns of the history computed from them."""

import math
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from octa_kedro.errors import DivergedError
from octa_kedro.training.data.config import ViewsConfig
from octa_kedro.training.data.dataset import EyeDataset, in_order, loader
from octa_kedro.training.data.patches import pool_patches
from octa_kedro.training.data.views import mean_logits, views_of
from octa_kedro.training.engine.losses import Loss
from octa_kedro.training.engine.metrics import epoch_metrics
from octa_kedro.training.engine.trainer import Trainer


@torch.no_grad()
def predict_logits(
    model: nn.Module, batches: DataLoader, fabric: Fabric, views: ViewsConfig | None = None
) -> torch.Tensor:
    """Logits ``(n, classes)`` of images, float32 on the CPU, in the loader's order; over several `views` of an image
    its probabilities are averaged."""
    model.eval()
    found = []
    for batch in batches:
        images = batch.images(fabric.device)
        with fabric.autocast():
            seen = [model(view).float() for view in views_of(images, views or ViewsConfig())]
        found.append(mean_logits(seen).cpu())
    return torch.cat(found)


@dataclass
class Validation:
    """Validates a classifier on `data` after each epoch; several devices share the images."""

    data: EyeDataset
    loss: Loss
    _mine: tuple[list[int], DataLoader] | None = field(default=None, repr=False)

    def __call__(self, trainer: Trainer) -> dict[str, float]:
        """Loss and metrics per eye; DivergedError names eyes whose logits are not finite."""
        with trainer.evaluated() as model:
            logits = self._logits(model, trainer)
        if not logits.isfinite().all():
            named = [self.data.subjects[i] for i in (~logits.isfinite().all(dim=1)).nonzero().flatten().tolist()]
            raise DivergedError(
                f"{trainer.name}: predictions of validation subjects {', '.join(named[:5])} are not finite; lower "
                "optimiser.learning_rate or set clip_norm. The last stored state is kept"
            )
        targets = torch.tensor(self.data.targets)
        soft = self.loss.soft(targets)
        weights = self.loss.weights(soft)
        loss = (weights * self.loss.per_image(logits, soft)).sum() / weights.sum()
        return {"val_loss": float(loss), **epoch_metrics(logits, targets)}

    def _logits(self, model: nn.Module, trainer: Trainer) -> torch.Tensor:
        """Logits ``(eyes, classes)`` of all eyes, on every device."""
        fabric, n = trainer.fabric, len(self.data)
        if self._mine is None:
            # Every device predicts the same number of images, or they would wait for each other: some images are
            # predicted twice.
            most = math.ceil(n / fabric.world_size)
            share = [min(i * fabric.world_size + fabric.global_rank, n - 1) for i in range(most)]
            batches = [[share[i] for i in batch] for batch in in_order(most, trainer.config.batch_size)]
            self._mine = share, loader(self.data, batches, workers=trainer.config.workers, device=fabric.device)
        logits = predict_logits(model, self._mine[1], fabric)
        if fabric.world_size > 1:
            gathered = fabric.all_gather(logits.to(fabric.device)).cpu()  # (devices, images of each, classes)
            logits = gathered.transpose(0, 1).flatten(0, 1)[:n]
        return pool_patches(logits, self.data.per_eye)


def predict_eyes(
    model: nn.Module, data: EyeDataset, fabric: Fabric, *, batch_size: int, workers: int, views: ViewsConfig
) -> torch.Tensor:
    """Logits ``(eyes, classes)`` of `data` in its order, patches pooled per eye."""
    reader = loader(data, in_order(len(data), batch_size), workers=workers, device=fabric.device)
    return pool_patches(predict_logits(model, reader, fabric, views), data.per_eye)
