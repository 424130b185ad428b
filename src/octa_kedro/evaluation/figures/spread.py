"""What single trainings reach, beside the mean of their probabilities."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.shown import drawn_models, panel_title, present_parts
from octa_kedro.evaluation.figures.style import TEXT, dress, entitle, sheet
from octa_kedro.evaluation.names import is_floor, model_titles
from octa_kedro.evaluation.predictions import REQUIRED_COLUMNS, class_columns, require_columns
from octa_kedro.evaluation.scores import all_metrics, judge_rows
from octa_kedro.panels import plain

ROW_MM = 9.0
SEED_MARKERS = ("o", "s", "^", "v", "P", "X")


def spread_figure(
    by_fold: pd.DataFrame, pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig
) -> Figure:
    """Return the AUROC of every single network (with more than two classes: the macro mean) of each model and part, and
    that of the pooled predictions with its interval.

    Input: predictions with a row per network and eye (columns fold and, where there are several, seed), the result of
    `pool_predictions` of them, and its `metric_table`.
    """
    require_columns(by_fold, REQUIRED_COLUMNS, "fold predictions")
    metric = "macro_auroc" if class_columns(by_fold) else "auroc"
    titles = {model: title for model, title in model_titles(pooled).items() if not is_floor(model)}
    parts = present_parts(by_fold)
    values = single_values(by_fold, metric, config)
    seeds = sorted(set(values["seed"]))
    figure = sheet(40 + ROW_MM * len(titles), 180 if len(parts) > 1 else 110)
    panels = figure.subplots(1, len(parts), squeeze=False, sharey=True)[0]
    for axes, part in zip(panels, parts, strict=True):
        drawn = drawn_models(pooled, metrics, part, metric)
        axes.axvline(0.5, color="0.75", linewidth=0.8, linestyle=":")
        for one in drawn:
            if not one.is_floor:
                place = [*titles].index(one.model)
                own = values[(values["model"] == one.model) & (values["part"] == part)]
                _draw_singles(axes, place - 0.2, own, one.look.colour, seeds)
                low, high = float(one.metric["low"]), float(one.metric["high"])
                if np.isfinite(low):
                    axes.hlines(place + 0.3, low, high, color=one.look.colour, linewidth=1.3)
                axes.plot([float(one.metric["value"])], [place + 0.3], "D", color=one.look.colour, markersize=4.5)
        axes.set(xlim=(-0.02, 1.04), ylim=(len(titles) - 0.5, -0.5))
        dress(axes, title=panel_title(part, drawn), x="AUROC" if metric == "auroc" else "Macro AUROC")
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(titles)), [plain(title) for title in titles.values()], fontsize=TEXT)
    entitle(figure, "Single trainings", _note(values, seeds, config))
    return figure


def single_values(by_fold: pd.DataFrame, metric: str, config: EvaluationConfig) -> pd.DataFrame:
    """The metric of every single network: model, part, fold, seed (1 where the table has none), value, n_eyes."""
    table = by_fold if "seed" in by_fold else by_fold.assign(seed=1)
    found = []
    for keys, rows in table.groupby(["model", "part", "fold", "seed"], sort=False):
        value = all_metrics(judge_rows(rows, config.threshold))[metric].value
        found.append((*keys, value, len(rows)))
    return pd.DataFrame(found, columns=["model", "part", "fold", "seed", "value", "n_eyes"])


def _draw_singles(axes: Axes, place: float, own: pd.DataFrame, colour: str, seeds: list[int]) -> None:
    """A mark per network, folds a little below each other so that equal values are seen; seeds have signs of their
    own."""
    folds = sorted(set(own["fold"]))
    step = 0.26 / max(1, len(folds) - 1)
    for row in own[np.isfinite(own["value"])].to_dict("records"):
        k = seeds.index(row["seed"])
        y = place - 0.12 + step * folds.index(row["fold"])
        marker = SEED_MARKERS[k % len(SEED_MARKERS)]
        axes.plot([row["value"]], [y], marker, color=colour, markerfacecolor="white", markersize=4.5)


def _note(values: pd.DataFrame, seeds: list[int], config: EvaluationConfig) -> str:
    folds = values["fold"].nunique()
    own = values[values["part"] == "out_of_fold"]["n_eyes"]
    words = f"Open marks: each of the networks, by fold ({folds})"
    words += f" and seed ({len(seeds)}, one sign each). " if len(seeds) > 1 else ". "
    if len(own):
        words += f"Out of fold a network is judged on its own fold's eyes alone ({_range(own.min(), own.max())}). "
    unknown = int(values["value"].isna().sum())
    words += f"{unknown} of them have eyes of one class alone, and so no mark. " if unknown else ""
    return (
        f"{words}Diamonds: all networks' pooled predictions with their {100 * config.level:g} % interval, which holds "
        "the chance of the eyes, not that of the training."
    )


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"
