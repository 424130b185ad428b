"""Nodes from predictions to tables and figures."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.pipelines.naming import model_of, seed_of
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from octa_kedro.results.stored import Stored

SEEN = "seen__"

log = logging.getLogger(__name__)


@node_function
def score_floors(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    biomarkers: pd.DataFrame,
    quality: pd.DataFrame,
    splits: pd.DataFrame,
) -> pd.DataFrame:
    """What plain models score on plain features: a network has to beat the best of them."""
    from octa_kedro.evaluation.plain_features import all_floors

    return all_floors(images, maps, biomarkers, quality, splits)


@node_function
def pool_models(floor: pd.DataFrame, splits: pd.DataFrame, **tables: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All models' predictions, one per eye and one per network and eye, once they agree with the splits and with what
    the networks have seen; keywords are those of `keyword` for predictions, with ``seen__`` before them for subjects
    seen."""
    from octa_kedro.evaluation.agreement import pool_agreed

    seen = {key.removeprefix(SEEN): table for key, table in tables.items() if key.startswith(SEEN)}
    predicted = {key: table for key, table in tables.items() if not key.startswith(SEEN)}
    numbers = sorted((seed_of(key), model_of(key)) for key in predicted)
    seeds = {model: number for number, model in numbers}  # the highest is the last
    return pool_agreed(
        floor,
        splits,
        [(model_of(k), t) for k, t in predicted.items()],
        [(model_of(k), t) for k, t in seen.items()],
        seeds,
    )


@node_function
def compare_models(predictions: pd.DataFrame, by_fold: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Paired differences and tests of every pair of models."""
    from octa_kedro.evaluation import comparisons

    return comparisons.compare_models(predictions, by_fold, config)


@node_function
def calibrate_models(predictions: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """How good the probabilities are, before and after a temperature fitted out of fold."""
    from octa_kedro.evaluation.calibration import calibration_table

    return calibration_table(predictions, config)


@node_function
def tabulate_variation(
    predictions: pd.DataFrame, by_network: pd.DataFrame, splits: pd.DataFrame, config: EvaluationConfig
) -> pd.DataFrame:
    """What single trainings reach, and how much eyes, division into folds and seed have to do with it."""
    from octa_kedro.cohort.splits import repeats_of_folds
    from octa_kedro.evaluation.variation import variation_table

    return variation_table(predictions, by_network, repeats_of_folds(splits), config)


@node_function
def tabulate_metrics(
    predictions: pd.DataFrame,
    comparisons: pd.DataFrame,
    calibration: pd.DataFrame,
    variation: pd.DataFrame,
    config: EvaluationConfig,
) -> tuple[pd.DataFrame, str]:
    """Every metric with its interval, as a table and as text; the text begins with the verdict, ends with what the
    predictions were made from, and goes to the log too."""
    from octa_kedro.evaluation.calibration import format_calibration
    from octa_kedro.evaluation.origin import describe_origin
    from octa_kedro.evaluation.tables import format_metric_table, metric_table
    from octa_kedro.evaluation.variation import format_variation
    from octa_kedro.evaluation.verdict import verdict_text

    made = predictions.attrs.get("made")
    table = metric_table(predictions, config)
    blocks = [verdict_text(comparisons, table, config), "# Metrics\n", format_metric_table(table)]
    blocks += [format_variation(variation), format_calibration(calibration)]
    text = "\n".join(block for block in blocks if block) + (describe_origin(made.made_from) if made else "")
    log.info("metrics:\n%s", text)
    return table, text


@node_function
def permute_labels(predictions: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """What AUROC chance gives each model, and how likely chance is to give what was found."""
    from octa_kedro.evaluation.permutation import label_permutation

    return label_permutation(predictions, permutations=config.resamples, level=config.level, seed=config.seed)


@node_function
def tabulate_subgroups(
    predictions: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame, config: EvaluationConfig
) -> pd.DataFrame:
    """The main metrics of every model within fields of view, diseases, sexes, ages, sides and qualities."""
    from octa_kedro.evaluation.subgroups import subgroup_table

    return subgroup_table(predictions, splits, quality, config)


@node_function
def list_errors(
    predictions: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame, config: EvaluationConfig
) -> pd.DataFrame:
    """The eyes that the first network calls wrong, the worst first, with what is known of them."""
    from octa_kedro.evaluation.mistakes import error_table

    return error_table(predictions, splits, quality, config)


@node_function
def draw_errors(
    errors: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    execution: ExecutionConfig,
) -> Figure:
    """The worst errors of each part: B-scan, en-face maps, and what is known of the eye."""
    from octa_kedro.evaluation.figures.gallery import errors_figure
    from octa_kedro.evaluation.figures.shown import present_parts
    from octa_kedro.evaluation.names import model_titles

    return errors_figure(
        errors,
        images,
        maps,
        surfaces,
        model_titles(predictions),
        on_error=execution.on_error,
        judged=present_parts(predictions),
    )


@node_function
def draw_curves(
    predictions: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig
) -> tuple[Figure, Figure, Figure]:
    """ROC, precision-recall and decision curves of all models."""
    from octa_kedro.evaluation.figures.curves import precision_recall_figure, roc_figure
    from octa_kedro.evaluation.figures.decision import decision_figure

    drawn = (predictions, metrics, config)
    return roc_figure(*drawn), precision_recall_figure(*drawn), decision_figure(*drawn)


@node_function
def draw_confusion(
    predictions: pd.DataFrame, metrics: pd.DataFrame, splits: pd.DataFrame, config: EvaluationConfig
) -> Figure:
    """Confusion matrices of the networks and the best floor."""
    from octa_kedro.cohort.columns import class_names
    from octa_kedro.evaluation.figures.confusion import confusion_figure

    return confusion_figure(predictions, metrics, config, class_names(splits))


@node_function
def draw_reliability(
    predictions: pd.DataFrame, metrics: pd.DataFrame, calibration: pd.DataFrame, config: EvaluationConfig
) -> Figure:
    """How often happens what was stated, before and after the temperature."""
    from octa_kedro.evaluation.figures.reliability import reliability_figure

    return reliability_figure(predictions, metrics, calibration, config)


@node_function
def draw_overview(
    predictions: pd.DataFrame, by_fold: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig
) -> tuple[Figure, Figure]:
    """The AUROC of all models and floors, and that of every single training."""
    from octa_kedro.evaluation.figures.forest import forest_figure
    from octa_kedro.evaluation.figures.spread import spread_figure

    return forest_figure(predictions, metrics, config), spread_figure(by_fold, predictions, metrics, config)


@node_function
def draw_history(*histories: pd.DataFrame) -> Figure:
    """Loss and AUROC of one model's folds over epochs."""
    import pandas as pd

    from octa_kedro.evaluation.figures.history import history_figure

    return history_figure(pd.concat(histories, ignore_index=True))
