"""Decision curves: the net benefit of each model over the threshold at which one would act."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.bands import net_benefit, net_benefit_band
from octa_kedro.evaluation.figures.shown import (
    bootstrap_words,
    drawn_models,
    networks_and_best_floor,
    of_two_classes,
    panel_title,
    present_parts,
)
from octa_kedro.evaluation.figures.style import dress, entitle, legend_below, sheet
from octa_kedro.panels import plain

THRESHOLDS = np.linspace(0.01, 0.9, 90)


def decision_figure(pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> Figure:
    """Return decision curves (Vickers and Elkin 2006, doi 10.1177/0272989X06295361): a panel per part; networks, the
    best floor, and treating every eye or none. Input as of `curves.roc_figure`."""
    pooled, metrics, what = of_two_classes(pooled, metrics, config)
    parts = present_parts(pooled)
    figure = sheet(104, 180 if len(parts) > 1 else 100)
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        drawn = drawn_models(pooled, metrics, part, "auroc")
        share = float((drawn[0].rows["target"] > 0).mean())
        for one in networks_and_best_floor(drawn):
            if not one.is_floor:
                band = net_benefit_band(one.rows, THRESHOLDS, config)
                axes.fill_between(*band, color=one.look.colour, alpha=0.12, linewidth=0)
            axes.plot(THRESHOLDS, net_benefit(one.rows, THRESHOLDS), label=plain(one.in_legend), **one.look.style)
        everyone = share - (1 - share) * THRESHOLDS / (1 - THRESHOLDS)
        axes.plot(THRESHOLDS, everyone, color="black", linewidth=0.8, linestyle=":", label="every eye called positive")
        axes.axhline(0, color="black", linewidth=0.8, label="no eye called positive")
        axes.set(xlim=(0, 0.9), ylim=(-0.12, max(share, 0.1) * 1.12))
        dress(axes, title=panel_title(part, drawn), x="Threshold probability", y="Net benefit")
        legend_below(axes)
    note = (
        f"Net benefit: true positives per eye, less false alarms weighed by the threshold's odds, at the cohort's own "
        f"share of positive eyes; probabilities before any temperature. {bootstrap_words(config)}"
    )
    entitle(figure, f"Decision curves{what}", note)
    return figure
