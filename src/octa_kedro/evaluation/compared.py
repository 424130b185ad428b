"""The one table of a comparison of networks, and what it comes to."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import is_floor
from octa_kedro.evaluation.tables import PART_TITLES, as_text, format_interval, markdown_table
from octa_kedro.evaluation.verdict import verdict_text

SHOWN = (
    *("auroc", "macro_auroc", "auprc", "balanced_accuracy", "sensitivity", "specificity", "quadratic_kappa", "brier"),
)
"""Metrics of the table, as far as the task has them."""


def comparison_table(entries: Mapping[str, Mapping[str, Any]], metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network and part, floors last.

    `entries` are by model what `training.compared.describe_network` says, `metrics` is the metric table. Columns:
    model, part, network, spatial_dims (0 of a floor), start_weights, parameters (number of weights, 0 of a floor),
    n_patients, n_eyes, n_positive, and each metric of SHOWN that there is, with metric_low and metric_high. Rows are in
    the order of the parts, and of each part by falling AUROC.
    """
    shown = [name for name in SHOWN if name in set(metrics["metric"])]
    rows = []
    for (model, part), own in metrics.groupby(["model", "part"], sort=False):
        known = entries.get(str(model), {})
        values = own.set_index("metric")
        rows.append(
            {
                "model": str(model),
                "part": part,
                "network": known.get("network", "plain model"),
                "spatial_dims": int(known.get("spatial_dims", 0)),
                "start_weights": known.get("start_weights", "none"),
                "parameters": int(known.get("parameters", 0)),
                **{name: int(own[name].iloc[0]) for name in ("n_patients", "n_eyes", "n_positive")},
                **{
                    f"{metric}{ending}": float(values[column][metric])
                    for metric in shown
                    for ending, column in (("", "value"), ("_low", "low"), ("_high", "high"))
                },
            }
        )
    table = pd.DataFrame(rows)
    order = pd.DataFrame(
        {
            "part": table["part"].map({part: k for k, part in enumerate(dict.fromkeys(table["part"]))}),
            "floor": table["model"].map(is_floor),
            "auroc": -table[shown[0]],
        }
    )
    return table.loc[order.sort_values(["part", "floor", "auroc"], kind="stable").index].reset_index(drop=True)


def comparison_text(
    table: pd.DataFrame, comparisons: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig
) -> str:
    """The verdict of all pairs (`verdict.verdict_text`) and the networks of the table, as Markdown."""
    shown = [name for name in SHOWN if name in table]
    blocks = []
    for part, rows in table[table["spatial_dims"] > 0].groupby("part", sort=False):
        lines = [["network", "dimensions", "start weights", "weights", *(name.replace("_", " ") for name in shown)]]
        for row in rows.to_dict("records"):
            values = [format_interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in shown]
            size = f"{row['parameters'] / 1e6:.2f} M"
            lines.append(
                [as_text(str(row["model"])), f"{row['spatial_dims']}D", str(row["start_weights"]), size, *values]
            )
        first = rows.iloc[0]
        title = f"## {PART_TITLES.get(str(part), str(part))}, {first['n_eyes']} eyes of {first['n_patients']} patients"
        blocks.append(f"{title}\n\n{markdown_table(lines)}\n")
    note = f"In brackets: {100 * config.level:g} % intervals, over patients. All networks saw the same folds.\n"
    return "\n".join([verdict_text(comparisons, metrics, config), "# All networks\n", note, *blocks])
