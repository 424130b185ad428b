import numpy as np
import pandas as pd
import pytest

from octa_kedro.evaluation.figures.bands import (
    net_benefit,
    net_benefit_band,
    precision_recall_band,
    precision_recall_points,
    roc_band,
    roc_points,
)
from octa_kedro.evaluation.figures.curves import precision_recall_figure, roc_figure
from octa_kedro.evaluation.figures.decision import decision_figure
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import format_interval, metric_table
from tests.evaluation.builders import gaussian_rows, prediction_rows

from .drawing import CONFIG, judged, pooled, render, words


def roc(table: pd.DataFrame):
    return roc_figure(table, metric_table(table, CONFIG), CONFIG)


def test_the_roc_names_networks_with_their_architecture_the_best_floor_and_how_many_others():
    figure = roc_figure(*judged(), CONFIG)
    render(figure)
    out_of_fold, held_out = figure.axes
    assert out_of_fold.get_title() == "Out of fold\n24 patients, 24 eyes, 12 positive"
    assert held_out.get_title() == "Held out\n8 patients, 8 eyes, 4 positive"
    _, table = judged()
    aurocs = table[(table["metric"] == "auroc") & (table["part"] == "out_of_fold")].set_index("model")
    shown = {m: format_interval(*aurocs.loc[m, ["value", "low", "high"]]) for m in aurocs.index}
    assert words(figure)[:5] == [
        f"3D network (resnet18)  {shown['training_3d']}",
        f"2D network (resnet18)  {shown['training_2d']}",
        f"best floor, biomarkers  {shown['floor_biomarkers']}",
        f"2 other floors  {aurocs.loc[['floor_majority', 'floor_confounders'], 'value'].min():.2f} to "
        f"{aurocs.loc[['floor_majority', 'floor_confounders'], 'value'].max():.2f}",
        "chance  0.50",
    ]
    assert out_of_fold.get_aspect() == 1
    assert "DeLong" in figure._supxlabel.get_text()


def test_an_auroc_of_one_carries_its_exact_bound():
    figure = roc(pool_predictions(prediction_rows([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.7, 0.3, 0.2, 0.1])))
    assert words(figure)[0] == "3D network  1.00 [0.37, 1.00] exact bound"
    assert "Clopper-Pearson" in figure._supxlabel.get_text().replace("\n", " ")


def test_a_precision_without_an_interval_does_not_show_one():
    table = pool_predictions(prediction_rows([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]))
    figure = precision_recall_figure(table, metric_table(table, CONFIG), CONFIG)
    render(figure)
    assert words(figure) == ["3D network  1.00 (no interval)", "chance  0.50"]


def test_points_of_roc_and_precision_recall_are_those_computed_by_hand():
    table = prediction_rows([1, 0, 1, 0], [0.9, 0.7, 0.6, 0.1])
    assert np.array(roc_points(table)).T.tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]
    recall, precision = precision_recall_points(table)
    assert recall.tolist() == [0.5, 0.5, 1, 1]
    assert precision == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


def test_equal_scores_are_one_point():
    false, true = roc_points(prediction_rows([1, 0, 1, 0], [0.5] * 4))
    assert false.tolist() == true.tolist() == [0, 1]


def test_net_benefit_is_that_computed_by_hand():
    table = prediction_rows([1, 0, 1, 0], [0.9, 0.7, 0.6, 0.1])
    assert net_benefit(table, np.array([0.5, 0.8])) == pytest.approx([2 / 4 - 1 / 4, 1 / 4])


def test_bands_hold_the_curve_and_narrow_with_more_eyes():
    widths = []
    for n in (40, 800):
        rows = gaussian_rows(n, 0.7)
        band = roc_band(rows, CONFIG)
        false, true = roc_points(rows)
        curve = np.array([true[false <= x + 1e-9].max() for x in band.x])
        assert ((band.low <= curve + 1e-9) & (curve <= band.high + 1e-9)).mean() > 0.95
        widths.append((band.high - band.low).mean())
    assert widths[1] < widths[0] / 2


def test_bands_of_perfect_scores_have_no_width():
    rows = prediction_rows([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1])
    for band in (roc_band(rows, CONFIG), precision_recall_band(rows, CONFIG)):
        assert band.low.tolist() == band.high.tolist() == [1.0] * 101


def test_the_eyes_of_a_patient_widen_a_band():
    rows = gaussian_rows(60, 1.0)
    thrice = pd.concat([rows.assign(patient=rows["subject"], subject=rows["subject"] + str(i)) for i in range(3)])
    thresholds = np.array([0.3, 0.5])
    alone, together = (net_benefit_band(one, thresholds, CONFIG) for one in (rows, thrice))
    assert together.low == pytest.approx(alone.low)


def test_roc_states_each_n_where_models_differ():
    table = pooled()
    shorter = table.drop(table[table["model"] == "training_2d"].index[:4])
    figure = roc(shorter)
    assert "n differs" in figure.axes[0].get_title()
    assert words(figure)[1].endswith("20 patients, 20 eyes, 10 positive")


def test_a_model_keeps_its_colour_where_another_is_missing():
    kept = [one[(one["model"] != "training_3d") | (one["part"] == "out_of_fold")] for one in judged()]
    figure = roc_figure(*kept, CONFIG)
    shown = [{line.get_label().split("  ")[0]: line.get_color() for line in axes.get_lines()} for axes in figure.axes]
    assert "3D network (resnet18)" not in shown[1]
    assert shown[0]["2D network (resnet18)"] == shown[1]["2D network (resnet18)"]
    assert shown[0]["2D network (resnet18)"] != shown[0]["3D network (resnet18)"]


def test_roc_of_one_class_says_why_there_is_no_curve():
    table = pool_predictions(prediction_rows([1, 1], [0.9, 0.2]))
    for draw in (roc_figure, precision_recall_figure, decision_figure):
        figure = draw(table, metric_table(table, CONFIG), CONFIG)
        render(figure)
    assert words(roc(table))[0] == "3D network  n/a (no eye is of the negative class)"


def test_decision_curves_show_networks_the_best_floor_and_calling_all_or_none():
    figure = decision_figure(*judged(), CONFIG)
    render(figure)
    assert words(figure)[:5] == [
        "3D network (resnet18)", "2D network (resnet18)", "best floor, biomarkers", "every eye called positive",
        "no eye called positive",
    ]  # fmt: skip
