"""The eyes that the main network calls wrong, the worst first."""

import numpy as np
import pandas as pd

from octa_kedro.cohort.columns import class_names
from octa_kedro.errors import DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.groups import known_of_eyes
from octa_kedro.evaluation.names import is_floor
from octa_kedro.evaluation.predictions import REQUIRED_COLUMNS, require_columns
from octa_kedro.evaluation.scores import judge_rows
from octa_kedro.evaluation.thresholds import thresholds_of
from octa_kedro.preprocessing.quality import MEASURES

PASSED_ON = ("patient", "disease", "age", "sex", "laterality", "field_of_view_mm", *MEASURES)


def main_network(pooled: pd.DataFrame) -> str:
    """The first model of the table that is no floor. DataError if there is none."""
    networks = [str(model) for model in dict.fromkeys(pooled["model"]) if not is_floor(str(model))]
    if not networks:
        raise DataError("the predictions table has no network, only floors; train one first (kedro run)")
    return networks[0]


def error_table(
    pooled: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame, config: EvaluationConfig
) -> pd.DataFrame:
    """Return the wrong calls of `main_network`, a row per eye, ranked within each part by the probability that it gave
    to what is wrong: to all classes but the true one.

    Input: the result of `pool_predictions`; splits and quality table say what is known of an eye. Columns: model, part,
    rank (1 is the worst), subject, label (the true class), called (the class it was called), wrong_probability,
    probability, threshold (NaN with more than two classes), spread (standard deviation of the networks' probabilities),
    quality_objections, and those of PASSED_ON that are known. No rows where every eye was called right.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    model = main_network(pooled)
    rows = pooled[pooled["model"] == model]
    threshold, names = thresholds_of(pooled, config)[model].value, np.array(class_names(splits), dtype=object)
    known = known_of_eyes(rows, splits, quality)
    judged = judge_rows(rows, threshold)
    table = pd.DataFrame(
        {
            "model": model,
            "part": rows["part"],
            "subject": rows["subject"].astype(str),
            "label": names[judged.target],
            "called": names[judged.called],
            "wrong_probability": 1 - judged.shares[np.arange(len(rows)), judged.target],
            "probability": rows["probability"],
            "threshold": threshold,
            "spread": rows.get("spread", np.nan),
            "quality_objections": known.get("reasons", ""),
            **{name: (rows if name in rows else known)[name] for name in PASSED_ON if name in rows or name in known},
        },
        index=rows.index,
    )
    wrong = table[judged.target != judged.called].sort_values(
        ["part", "wrong_probability", "subject"], ascending=[True, False, True]
    )
    wrong.insert(2, "rank", wrong.groupby("part").cumcount() + 1)
    return wrong.reset_index(drop=True)
