"""A trained classifier's probabilities for subjects it has not learnt from."""

from collections.abc import Mapping

import pandas as pd
import torch

from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.io.store import Stored
from octa_kedro.preprocessing.config import require_processed_as
from octa_kedro.training.checkpoint import Checkpoint, restore_model
from octa_kedro.training.config import OptimiserConfig
from octa_kedro.training.data import EyeDataset, loader
from octa_kedro.training.loop import predict_logits
from octa_kedro.training.seeding import pick_device

PARTS = {"validation": "out_of_fold", "held_out": "held_out"}


def predict_fold(
    images: Mapping[str, Stored], table: pd.DataFrame, checkpoint: Checkpoint, config: OptimiserConfig
) -> pd.DataFrame:
    """Predictions for the validation and held-out subjects of a fold table.

    Columns: subject, part (out_of_fold or held_out), fold, disease, target, probability (of the
    second class). LeakError if the checkpoint has learnt from any of them.
    """
    rows = table[table["role"].isin(PARTS)]
    subjects = rows["subject"].astype(str).tolist()
    fold = checkpoint.card.fold
    require_disjoint(subjects, checkpoint.card.learnt_from(), judge=f"fold {fold}", learner="its checkpoint")
    require_processed_as(images, checkpoint.card.processing, who="the checkpoint")
    data = EyeDataset(images, subjects, rows["target"].tolist(), slabs=checkpoint.card.slabs)
    device = pick_device(config.device)
    model = restore_model(checkpoint).to(device)
    logits, _ = predict_logits(model, loader(data, config, shuffle_seed=None), device)
    probabilities = torch.softmax(logits.double(), dim=1).numpy()
    return pd.DataFrame(
        {
            "subject": subjects,
            "part": rows["role"].map(PARTS).to_numpy(),
            "fold": fold,
            "disease": rows["disease"].to_numpy(),
            "target": rows["target"].to_numpy(),
            "probability": probabilities[:, 1],
        }
    )
