"""Nodes from predictions to tables and figures."""

import logging
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.cohort.table import class_names
from octa_kedro.evaluation.agreement import count_repeats, require_agreement, require_unseen
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.floor import depth_profile_floor
from octa_kedro.evaluation.plots import confusion_figure, history_figure, roc_figure
from octa_kedro.evaluation.predictions import pool_predictions, require_same_eyes
from octa_kedro.evaluation.tables import format_metric_table, metric_table
from octa_kedro.pipelines.naming import model_of
from octa_kedro.results.stored import Stored

SEEN = "seen__"

log = logging.getLogger(__name__)


def score_floor(images: Mapping[str, Stored], splits: pd.DataFrame) -> pd.DataFrame:
    """What a linear model scores on mean depth profiles: a network has to beat this."""
    wanted = set(splits["subject"].astype(str))
    profiles = {subject: stored().array.mean(axis=(0, 1)) for subject, stored in images.items() if subject in wanted}
    return depth_profile_floor(profiles, splits)


def pool_models(floor: pd.DataFrame, splits: pd.DataFrame, **tables: pd.DataFrame) -> pd.DataFrame:
    """All models' predictions in one table, once they agree with the splits and with what the networks have seen;
    keywords are ``<model>__fold_<k>`` for predictions and ``seen__<model>__fold_<k>`` for subjects seen."""
    seen = [t.assign(model=model_of(key.removeprefix(SEEN))) for key, t in tables.items() if key.startswith(SEEN)]
    named = [table.assign(model=model_of(key)) for key, table in tables.items() if not key.startswith(SEEN)]
    predicted = pd.concat([*named, floor], ignore_index=True)
    require_agreement(predicted, splits)
    require_unseen(pd.concat(named, ignore_index=True), pd.concat(seen, ignore_index=True), splits)
    pooled = pool_predictions(predicted, count_repeats(splits))
    require_same_eyes(pooled)
    return pooled


def tabulate_metrics(predictions: pd.DataFrame, config: EvaluationConfig) -> tuple[pd.DataFrame, str]:
    """Every metric with its interval, as a table and as text; the text goes to the log too."""
    table = metric_table(predictions, config)
    text = format_metric_table(table)
    log.info("metrics:\n%s", text)
    return table, text


def draw_metrics(predictions: pd.DataFrame, splits: pd.DataFrame, config: EvaluationConfig) -> tuple[Figure, Figure]:
    """ROC curves and confusion matrices, models side by side."""
    return roc_figure(predictions, config), confusion_figure(predictions, config, class_names(splits))


def draw_history(*histories: pd.DataFrame) -> Figure:
    """Loss and AUROC of one model's folds over epochs."""
    return history_figure(pd.concat(histories, ignore_index=True))
