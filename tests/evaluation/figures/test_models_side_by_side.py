import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.evaluation.calibration import calibration_table
from octa_kedro.evaluation.figures.confusion import confusion_figure
from octa_kedro.evaluation.figures.forest import forest_figure
from octa_kedro.evaluation.figures.reliability import bins_of, reliability_figure
from octa_kedro.evaluation.figures.spread import single_values, spread_figure
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.proportions import wilson_interval
from octa_kedro.evaluation.tables import format_interval, metric_table
from tests.evaluation.builders import gaussian_rows, prediction_rows

from .drawing import CONFIG, by_fold, judged, pooled, render

CLASSES = ("NORMAL", "ABNORMAL")


def confusion(table: pd.DataFrame, names: tuple[str, ...] = CLASSES):
    return confusion_figure(table, metric_table(table, CONFIG), CONFIG, names)


def test_confusion_has_counts_and_row_percentages():
    # tp 2, fn 1, fp 2, tn 3.
    figure = confusion(
        pool_predictions(prediction_rows([1, 1, 1, 0, 0, 0, 0, 0], [0.9, 0.6, 0.3, 0.7, 0.55, 0.2, 0.1, 0.4]))
    )
    render(figure)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["3\n60 %", "2\n40 %", "1\n33 %", "2\n67 %"]
    assert axes.get_title() == "3D network\n\nOut of fold, 8 eyes"
    assert [label.get_text() for label in axes.get_xticklabels()] == list(CLASSES)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)
    assert "threshold 0.5" in figure._supxlabel.get_text()


def test_confusion_shows_networks_and_the_best_floor_a_row_per_part():
    figure = confusion_figure(*judged(), CONFIG, CLASSES)
    render(figure)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 6
    assert titles[:3] == [
        "3D network\n(resnet18)\nOut of fold, 24 eyes", "2D network\n(resnet18)\nOut of fold, 24 eyes",
        "biomarkers\n(floor)\nOut of fold, 24 eyes",
    ]  # fmt: skip
    assert all(title.endswith("Held out, 8 eyes") for title in titles[3:])


def test_confusion_of_an_absent_class_has_no_percentage():
    figure = confusion(pool_predictions(prediction_rows([1, 1], [0.9, 0.2])))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0\nn/a", "0\nn/a", "1\n50 %", "1\n50 %"]


def test_confusion_refuses_three_classes():
    with pytest.raises(ConfigError, match="are not the 2 classes of the predictions"):
        confusion(pooled(), ("NORMAL", "AMD", "DR"))


def test_the_forest_has_a_row_per_model_with_its_number():
    table, metrics = judged()
    figure = forest_figure(table, metrics, CONFIG)
    render(figure)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:3] == ["3D network (resnet18)", "2D network (resnet18)", "biomarkers (floor)"]
    aurocs = metrics[(metrics["metric"] == "auroc") & (metrics["part"] == "held_out")]
    shown = [text.get_text().strip() for text in figure.axes[1].texts]
    expected = [format_interval(*numbers) for numbers in aurocs[["value", "low", "high"]].to_numpy()]
    assert [text.removesuffix(" exact") for text in shown] == expected


def patients(number: int) -> pd.Series:
    return pd.Series(np.arange(number).astype(str))


def test_bins_of_reliability_are_those_computed_by_hand():
    stated = np.array([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.7, 0.7, 0.8, 0.8, 0.9, 0.9])
    happened = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0], dtype=bool)
    low, high = bins_of(stated, happened, patients(12), 0.95)
    assert low == pytest.approx((0.2, 1 / 6, *wilson_interval(1, 6)))
    assert high == pytest.approx((0.8, 5 / 6, *wilson_interval(5, 6)))


def test_equal_probabilities_are_in_one_bin():
    found = bins_of(np.array([0.02] * 4 + [0.98] * 8), np.array([False] * 4 + [True] * 8), patients(12), 0.95)
    assert [one.stated for one in found] == pytest.approx([0.02, 0.98])
    assert [one.share for one in found] == [0, 1]
    assert len(bins_of(np.full(12, 0.5), np.arange(12) % 2 == 1, patients(12), 0.95)) == 1


def test_reliability_shows_the_temperature_and_what_it_changes():
    table, metrics = judged()
    calibration = calibration_table(table, CONFIG)
    figure = reliability_figure(table, metrics, calibration, CONFIG)
    render(figure)
    own = calibration[(calibration["model"] == "training_2d") & (calibration["part"] == "out_of_fold")]
    ece = own[own["metric"] == "ece"].iloc[0]
    expected = f"T {ece['temperature']:.2f}\nECE {ece['before']:.2f} \N{RIGHTWARDS ARROW} {ece['after']:.2f}"
    assert [text.get_text() for text in figure.axes[1].texts] == [expected]


def test_reliability_without_a_temperature_says_so():
    table = pool_predictions(prediction_rows([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]))
    figure = reliability_figure(table, metric_table(table, CONFIG), calibration_table(table, CONFIG), CONFIG)
    render(figure)
    assert figure.axes[0].texts[0].get_text().startswith("no temperature")


def test_single_trainings_are_one_value_per_fold_and_seed():
    rows = gaussian_rows(40, 1.0).assign(fold=1 + np.arange(40) // 20)
    seeds = pd.concat([rows.assign(seed=1), rows.assign(seed=2, probability=1 - rows["probability"])])
    values = single_values(seeds, "auroc", CONFIG).set_index(["seed", "fold"])["value"]
    assert len(values) == 4
    assert values[1].to_numpy() + values[2].to_numpy() == pytest.approx([1, 1])


def test_the_spread_shows_every_single_training_beside_the_pooled_one():
    figure = spread_figure(by_fold(), *judged(), CONFIG)
    render(figure)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["3D network (resnet18)", "2D network (resnet18)"]
    open_marks = [line for line in figure.axes[1].get_lines() if line.get_marker() == "o"]
    assert len(open_marks) == 4
    assert "its own fold's eyes alone (12)" in figure._supxlabel.get_text().replace("\n", " ")


def test_a_training_judged_on_one_class_has_no_mark_and_the_note_says_so():
    rows = prediction_rows([1, 0, 1, 0], [0.9, 0.2, 0.8, 0.1])  # fold 1 has positive eyes alone, fold 2 negative ones
    table = pool_predictions(rows)
    figure = spread_figure(rows, table, metric_table(table, CONFIG), CONFIG)
    render(figure)
    assert "2 of them have eyes of one class alone" in figure._supxlabel.get_text().replace("\n", " ")
