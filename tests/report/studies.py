"""A small evaluation, as a report takes it."""

from functools import cache
from pathlib import Path

import pandas as pd
from PIL import Image

from octa_kedro.evaluation.calibration import calibration_table
from octa_kedro.evaluation.comparisons import compare_models
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.permutation import label_permutation
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import metric_table
from octa_kedro.report.networks import network_facts
from octa_kedro.report.page import ReportPage
from octa_kedro.report.study import study_page
from octa_kedro.report.study_data import Networks, Origin, Tables
from tests.evaluation.builders import gaussian_rows

CONFIG = EvaluationConfig(resamples=100)
CARD = {
    "fold": 1, "seed": 1, "epoch": 7, "model": {"name": "resnet18", "spatial_dims": 3}, "slabs": [],
    "classes": ["well", "ill"],
    "metrics": {"val_loss": 0.4}, "seen": {"training": ["t1", "t2"], "validation": ["v1"]}, "patients": {"t1": "a"},
    "parameters": {"max_epochs": 20, "seed": 0, "stop": {"metric": "val_loss", "keep_from": 0.5},
                   "start": {"weights": "random"}},
    "code_version": "1.2", "processing": {"grid": [4, 4, 8]}, "made_from": {"splits": "0123456789abcdef"},
    "weights_sha256": "fedcba9876543210",
}  # fmt: skip


def facts(dims: int) -> dict:
    """What is known of a network of this dimension."""
    return network_facts(CARD | {"model": {"name": "resnet18", "spatial_dims": dims}}, 1_500_000)


def splits(label: str = "ill") -> pd.DataFrame:
    """Two training, two validation and two held-out eyes of six patients."""
    return pd.DataFrame(
        {"subject": ["t1", "t2", "v1", "v2", "h1", "h2"], "label": ["well", label] * 3, "disease": ["well", label] * 3,
         "target": [0, 1] * 3, "field_of_view_mm": 3.0, "held_out": [False] * 4 + [True] * 2,
         "fold": [0, 0, 1, 1, 0, 0]}
    )  # fmt: skip


def seen(judged: str = "v1") -> pd.DataFrame:
    """What a network of fold 1 has seen; it chose its epoch by the eye `judged`."""
    return pd.DataFrame(
        {"fold": 1, "subject": ["t1", "t2", judged], "patient": ["t1", "t2", judged],
         "used_for": ["training", "training", "validation"]}
    )  # fmt: skip


@cache
def tables(label: str = "ill") -> Tables:
    """Two networks and a floor that judge twenty eyes."""
    rows = [gaussian_rows(20, shift, model=name, seed=seed) for name, shift, seed in (
        ("training_3d", 2.0, 1), ("training_2d", 0.5, 2), ("floor_majority", 0.0, 3))]  # fmt: skip
    pooled = pool_predictions(pd.concat(rows, ignore_index=True))
    flow = pd.DataFrame({"step": ["all eyes", "take part"], "reason": "", "eyes": [7, 6], label: [4, 3]})
    null = label_permutation(pooled, permutations=20)
    return Tables(
        flow, splits(label), metric_table(pooled, CONFIG), compare_models(pooled, pooled, CONFIG),
        calibration_table(pooled, CONFIG), null, pd.DataFrame({"subject": ["t1"], "faz_area": [0.3]}),
    )  # fmt: skip


def study(folder: Path, *, label: str = "ill", judged: str = "v1", explanations=None, origin=None) -> ReportPage:
    """The page of the small evaluation, with one figure."""
    figure = folder / "roc.png" / "v" / "roc.png"
    figure.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40)).save(figure)
    history = pd.DataFrame({"fold": 1, "epoch": [1, 2], "seconds": [3.0, 5.0], "memory_gib": 0.5})
    networks = Networks(
        {"training_3d": [facts(3)], "training_2d": [facts(2)]},
        {"training_3d": [history], "training_2d": [history]},
        {},
        {"training_3d__fold_1": seen(judged), "training_2d__fold_1": seen()},
    )
    return study_page(
        tables(label), networks, {"roc": figure}, explanations or {}, origin=origin or Origin(), config=CONFIG
    )
