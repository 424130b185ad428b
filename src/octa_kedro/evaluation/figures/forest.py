"""The AUROC of every model and floor with its interval, part beside part."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.shown import Drawn, auroc_words, drawn_models, panel_title, present_parts
from octa_kedro.evaluation.figures.style import SMALL, TEXT, dress, entitle, sheet
from octa_kedro.evaluation.names import is_floor, model_titles
from octa_kedro.evaluation.predictions import REQUIRED_COLUMNS, class_columns, require_columns
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.panels import plain

ROW_MM = 6.5


def forest_figure(pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> Figure:
    """Return the AUROCs (with more than two classes: macro means) of all models with their intervals, networks above
    floors. Input: the result of `pool_predictions` and its `metric_table`."""
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    metric = "macro_auroc" if class_columns(pooled) else "auroc"
    titles = model_titles(pooled)
    order = sorted(titles, key=is_floor)
    shown = {part: drawn_models(pooled, metrics, part, metric) for part in present_parts(pooled)}
    figure = sheet(34 + ROW_MM * len(order), 180 if len(shown) > 1 else 120)
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axes, (part, drawn) in zip(panels, shown.items(), strict=True):
        axes.axvline(0.5, color="0.75", linewidth=0.8, linestyle=":")
        best = max((one.metric["value"] for one in drawn if one.is_best_floor), default=np.nan)
        if np.isfinite(best):
            axes.axvline(best, color="0.55", linewidth=0.8, linestyle=(0, (4, 2)))
        for one in drawn:
            _draw_row(axes, order.index(one.model), one)
        axes.set(xlim=(-0.02, 1.04), ylim=(len(order) - 0.5, -0.5))
        dress(axes, title=panel_title(part, drawn), x="AUROC" if metric == "auroc" else "Macro AUROC")
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(order)), [plain(titles[model]) for model in order], fontsize=TEXT)
    everyone = [one for drawn in shown.values() for one in drawn]
    how = auroc_words(config, everyone)
    if metric != "auroc":
        how = f"Macro AUROC with its {100 * config.level:g} % percentile bootstrap interval over patients."
    entitle(figure, "All models and floors", f"{how} Dotted line: chance; dashed line: the best floor.")
    return figure


def _draw_row(axes: Axes, place: int, one: Drawn) -> None:
    value, low, high = (float(one.metric[name]) for name in ("value", "low", "high"))
    colour = one.look.colour if not one.is_floor or one.is_best_floor else "#8A8A8A"
    if np.isfinite(low):
        axes.hlines(place, low, high, color=colour, linewidth=1.3)
    marker = "D" if one.is_floor else "o"
    axes.plot([value], [place], marker, color=colour, markersize=4.5)
    words = format_interval(value, low, high) + (" exact" if one.value.endswith("exact bound") else "")
    axes.text(1.0, place, f" {words}", fontsize=SMALL, va="center", ha="left", transform=axes.get_yaxis_transform())
