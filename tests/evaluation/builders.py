"""Small predictions tables made by hand or from a seed."""

import numpy as np
import pandas as pd

COLUMNS = ["model", "subject", "part", "fold", "disease", "target", "probability"]


def prediction_rows(
    target: list[int], probability: list[float], *, model: str = "training_3d", part: str = "out_of_fold"
) -> pd.DataFrame:
    """One eye per subject: subjects named 1000, 1001, ..., folds 1 and 2 in turn."""
    rows = [
        (model, str(1000 + i), part, 1 + i % 2, "DR" if t else "NORMAL", t, p)
        for i, (t, p) in enumerate(zip(target, probability, strict=True))
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def gaussian_rows(n: int, shift: float, *, seed: int = 0, model: str = "training_3d") -> pd.DataFrame:
    """Alternating targets; positive scores lie `shift` standard deviations above negative ones."""
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 2
    probability = 1 / (1 + np.exp(-(rng.normal(size=n) + shift * (target - 0.5))))
    return prediction_rows(target.tolist(), probability.tolist(), model=model)


def held_out_rows(subject: str, probabilities: list[float], *, target: int = 1) -> pd.DataFrame:
    """One held-out eye predicted by the models of folds 1, 2, ..."""
    rows = [("training_3d", subject, "held_out", fold, "DR", target, p) for fold, p in enumerate(probabilities, 1)]
    return pd.DataFrame(rows, columns=COLUMNS)
