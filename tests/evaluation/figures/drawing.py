"""Small cohorts to draw."""

import io
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import metric_table

CONFIG = EvaluationConfig(resamples=100)
MODELS = {"training_3d": 2.0, "training_2d": 1.0}
MODELS |= {"floor_biomarkers": 1.8, "floor_majority": 0.0, "floor_confounders": 0.3}


def render(figure: Figure) -> None:
    """Draw the figure; warnings, such as those of a layout that does not fit, are errors."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    assert buffer.getvalue().startswith(b"\x89PNG")


def by_fold(eyes: int = 24, held_out: int = 8, models: dict[str, float] | None = None) -> pd.DataFrame:
    """Predictions of 2 folds by models of different strength: every other eye is diseased (DR, CNV in turn)."""
    rng = np.random.default_rng(0)
    target = np.arange(eyes + held_out) % 2
    rows = []
    for model, shift in (MODELS if models is None else models).items():
        logits = rng.normal(size=len(target)) + shift * (target - 0.5)
        score = 1 / (1 + np.exp(-logits if shift else np.zeros(len(target))))
        network = "" if model.startswith("floor") else "resnet18"
        for k, t in enumerate(target):
            part, folds = ("out_of_fold", [1 + k // 2 % 2]) if k < eyes else ("held_out", [1, 2])
            disease = ("DR", "CNV")[k // 2 % 2] if t else "NORMAL"
            p = float(score[k])
            rows += [(model, str(k), part, n, network, disease, t, p if n == 1 else p * 0.9) for n in folds]
    columns = ["model", "subject", "part", "fold", "network", "disease", "target", "probability"]
    return pd.DataFrame(rows, columns=columns)


def pooled(**options: object) -> pd.DataFrame:
    """`by_fold`, pooled."""
    return pool_predictions(by_fold(**options))  # type: ignore[arg-type]


@cache
def judged() -> tuple[pd.DataFrame, pd.DataFrame]:
    """`pooled` and its metric table, made once."""
    return pooled(), metric_table(pooled(), CONFIG)


def words(figure: Figure) -> list[str]:
    """All legends of a figure's panels, panel by panel."""
    legends = [axes.get_legend() for axes in figure.axes]
    return [text.get_text() for legend in legends if legend is not None for text in legend.get_texts()]
