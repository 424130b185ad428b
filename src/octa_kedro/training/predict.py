"""A trained classifier's probabilities for subjects it has not learnt from."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.cohort.columns import LEARNT_COPY
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard, restore_model
from octa_kedro.training.config import FittingConfig
from octa_kedro.training.data.dataset import EyeDataset
from octa_kedro.training.engine.devices import make_fabric
from octa_kedro.training.engine.validation import predict_eyes
from octa_kedro.training.guard import require_fold_unseen, require_images_unseen, require_sound_fold

PART_OF_ROLE = {"validation": "out_of_fold", "held_out": "held_out"}


def predict_fold(
    images: Mapping[str, Stored], table: pd.DataFrame, checkpoint: Checkpoint, config: FittingConfig
) -> pd.DataFrame:
    """Predictions for the validation and held-out subjects of a fold table.

    Columns: subject, patient (where the table has it), part (out_of_fold or held_out), fold, seed, network (its
    architecture by name), disease, target, probability (that the eye is not of the first class) and, with more than two
    classes, probability_<class> for each; and learnt_from_copy, the training eye whose image is nearly that of the eye
    (empty for none; see `guard.require_images_unseen`). The probability of an eye seen in patches is the mean over its
    patches, and over the card's views.
    LeakError if the checkpoint has learnt from any of them or from another eye of their patient, or its epoch was
    chosen by a held-out one; also if it has learnt from the image of one of them under another name.
    """
    require_sound_fold(table)
    require_fold_unseen(table, checkpoint.card, learner="its checkpoint")
    copies = require_images_unseen(images, table, checkpoint.card, learner="its checkpoint")
    require_processed_as(images, checkpoint.card.processing, who="the checkpoint")
    rows = table[table["role"].isin(PART_OF_ROLE)]
    card = checkpoint.card
    subjects = rows["subject"].astype(str).tolist()
    model = restore_model(checkpoint)
    shares = class_probabilities(model, card, images, subjects, device=config.device, workers=config.workers)
    kept = [name for name in ("patient",) if name in rows]
    return pd.DataFrame(
        {
            "subject": subjects,
            **{name: rows[name].to_numpy() for name in kept},
            "part": rows["role"].map(PART_OF_ROLE).to_numpy(),
            "fold": card.fold,
            "seed": card.seed,
            "network": card.model.canonical_name,
            "disease": rows["disease"].to_numpy(),
            "target": rows["target"].to_numpy(),
            LEARNT_COPY: [copies.get(subject, "") for subject in subjects],
            **probability_columns(shares, card.classes),
        }
    )


def class_probabilities(
    model: nn.Module,
    card: CheckpointCard,
    images: Mapping[str, Stored],
    subjects: Sequence[str],
    *,
    device: str = "auto",
    workers: int = 0,
) -> NDArray[np.float64]:
    """Probabilities ``(eyes, classes)`` of stored images by the restored `model` of `card`; the only way to them.

    An eye seen in patches gets the mean probability of its patches, and that over the card's views. Each eye is a batch
    of its own: sums are rounded otherwise in batches of another size, and what is said of an eye must not depend on who
    is looked at beside it.
    """
    data = EyeDataset(images, subjects, slabs=card.slabs, patches=card.patches)
    precision = card.parameters.get("precision", "fp32")
    fabric = make_fabric(FittingConfig(device=device, precision=precision))
    network = model.to(fabric.device)
    logits = predict_eyes(network, data, fabric, batch_size=data.per_eye, workers=workers, views=card.views)
    return torch.softmax(logits.double(), dim=1).numpy()


def probability_columns(shares: NDArray[np.float64], classes: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Probabilities ``(eyes, classes)`` as the columns of a predictions table.

    `probability` is that of not being of the first, the negative, class. Two classes need no other column.
    """
    if len(classes) == 2:
        return {"probability": shares[:, 1]}
    each = {f"probability_{name}": shares[:, index] for index, name in enumerate(classes)}
    return {"probability": shares[:, 1:].sum(axis=1).clip(0, 1), **each}
