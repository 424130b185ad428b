import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from octa_kedro.evaluation.plots import confusion_figure, history_figure, roc_figure

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import format_interval, metric_table

from .builders import gaussian_rows, held_out_rows, prediction_rows

CONFIG = EvaluationConfig(resamples=100)
CLASSES = ("NORMAL", "ABNORMAL")


@pytest.fixture
def pooled() -> pd.DataFrame:
    held_out = [held_out_rows("7", [0.9, 0.8]), held_out_rows("8", [0.1, 0.2], target=0)]
    models = [gaussian_rows(30, 1.0), gaussian_rows(30, 1.0, seed=5, model="training_2d")]
    return pool_predictions(pd.concat([*models, *held_out]))


@pytest.fixture
def history() -> pd.DataFrame:
    epochs = np.arange(1, 7)
    folds = [
        pd.DataFrame(
            {
                "fold": fold,
                "epoch": epochs,
                "train_loss": 1 / epochs,
                "val_loss": 0.5 + 0.1 * abs(epochs - 4),
                "val_auroc": np.linspace(0.5, 0.8, 6),
                "lr": 1e-3,
                "best": epochs == 3 + fold,
            }
        )
        for fold in (1, 2)
    ]
    return pd.concat(folds, ignore_index=True)


def render(figure: Figure) -> None:
    """Draw the figure; warnings, such as those of a layout that does not fit, are errors."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    assert buffer.getvalue().startswith(b"\x89PNG")


def test_roc_has_a_panel_per_part_and_the_auroc_in_the_legend(pooled: pd.DataFrame):
    figure = roc_figure(pooled, CONFIG)
    render(figure)
    out_of_fold, held_out = figure.axes
    assert out_of_fold.get_title() == "Out of fold\n30 patients, 30 eyes, 15 positive"
    assert held_out.get_title() == "Held out\n2 patients, 2 eyes, 1 positive"
    texts = [text.get_text() for text in out_of_fold.get_legend().get_texts()]
    table = metric_table(pooled, CONFIG)
    aurocs = table[(table["metric"] == "auroc") & (table["part"] == "out_of_fold")]
    expected = [
        f"{model}  {format_interval(*numbers)}"
        for model, *numbers in aurocs[["model", "value", "low", "high"]].to_numpy()
    ]
    assert texts == ["chance 0.50", *expected]
    assert out_of_fold.get_aspect() == 1


def test_roc_curve_passes_through_the_points_computed_by_hand():
    table = pool_predictions(prediction_rows([1, 0, 1, 0], [0.9, 0.7, 0.6, 0.1]))
    curve = roc_figure(table, CONFIG).axes[0].get_lines()[1]
    points = list(zip(*curve.get_data(), strict=True))
    for point in ((0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)):
        assert point in points


def test_roc_states_each_n_where_models_differ(pooled: pd.DataFrame):
    shorter = pooled.drop(pooled[pooled["model"] == "training_2d"].index[:4])
    axes = roc_figure(shorter, CONFIG).axes[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "n differs" in axes.get_title()
    assert texts[2].endswith("26 patients, 26 eyes, 13 positive")


def test_a_model_keeps_its_colour_where_another_is_missing():
    first = gaussian_rows(20, 1.0)
    second = pd.concat(
        [held_out_rows("7", [0.9]), held_out_rows("8", [0.1], target=0), gaussian_rows(20, 1.0, seed=2)]
    ).assign(model="training_2d")
    figure = roc_figure(pool_predictions(pd.concat([first, second])), CONFIG)
    out_of_fold, held_out = figure.axes
    colours = [line.get_color() for line in out_of_fold.get_lines()[1:]]
    assert len(set(colours)) == 2
    assert held_out.get_lines()[1].get_color() == colours[1]


def test_roc_of_one_class_says_why_there_is_no_curve():
    figure = roc_figure(pool_predictions(prediction_rows([1, 1], [0.9, 0.2])), CONFIG)
    render(figure)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts[1] == "training_3d  n/a (no eye is of the negative class)"


def test_confusion_has_models_by_parts_with_counts_and_row_percentages():
    # tp 2, fn 1, fp 2, tn 3.
    table = prediction_rows([1, 1, 1, 0, 0, 0, 0, 0], [0.9, 0.6, 0.3, 0.7, 0.55, 0.2, 0.1, 0.4])
    figure = confusion_figure(pool_predictions(table), CONFIG, CLASSES)
    render(figure)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["3\n60 %", "2\n40 %", "1\n33 %", "2\n67 %"]
    assert axes.get_title() == "training_3d\nOut of fold, 8 eyes"
    assert [label.get_text() for label in axes.get_xticklabels()] == list(CLASSES)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)


def test_confusion_marks_a_missing_part(pooled: pd.DataFrame):
    figure = confusion_figure(pooled, CONFIG, CLASSES)
    render(figure)
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.axes[3].texts] == ["no predictions"]


def test_confusion_of_an_absent_class_has_no_percentage():
    figure = confusion_figure(pool_predictions(prediction_rows([1, 1], [0.9, 0.2])), CONFIG, CLASSES)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0\nn/a", "0\nn/a", "1\n50 %", "1\n50 %"]


def test_confusion_refuses_three_classes(pooled: pd.DataFrame):
    with pytest.raises(ConfigError, match="are not the 2 classes of the predictions"):
        confusion_figure(pooled, CONFIG, ["NORMAL", "AMD", "DR"])


def test_history_has_a_column_per_fold_and_marks_the_best_epoch(history: pd.DataFrame):
    figure = history_figure(history)
    render(figure)
    assert len(figure.axes) == 4
    assert figure.axes[0].get_title() == "Fold 1: 6 epochs\nbest 4, AUROC 0.68"
    assert figure.axes[1].get_title() == "Fold 2: 6 epochs\nbest 5, AUROC 0.74"
    marks = [line for line in figure.axes[1].get_lines() if line.get_marker() == "*"]
    assert marks[0].get_xdata() == pytest.approx([5])
    assert marks[0].get_ydata() == pytest.approx([0.6])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "validation", "best epoch"]


def test_history_of_one_epoch_without_auroc_renders(history: pd.DataFrame):
    first = history.groupby("fold").head(1).assign(val_auroc=np.nan, best=False)
    figure = history_figure(first)
    render(figure)
    assert figure.axes[0].get_title() == "Fold 1: 1 epoch"
    assert figure.axes[0].get_lines()[0].get_marker() == "o"


def test_history_names_a_missing_column(history: pd.DataFrame):
    with pytest.raises(DataError, match="val_auroc"):
        history_figure(history.drop(columns="val_auroc"))


def test_history_of_an_autoencoder_has_no_validation(history: pd.DataFrame):
    figure = history_figure(history.drop(columns=["val_loss", "val_auroc"]).assign(seconds=1.0, variance=0.2))
    render(figure)
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["Loss (log scale)", "Learning rate (log scale)"]
    assert figure.axes[0].get_title() == "Fold 1: 6 epochs\nbest 4"
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "*"]
    assert marks[0].get_ydata() == pytest.approx([0.25])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "best epoch"]


def test_history_with_costs_has_a_third_row(history: pd.DataFrame):
    more = history.assign(seconds=[1.0, 2, 9, 2, 2, 2] * 2, memory_gib=1.234, val_balanced_accuracy=0.7)
    figure = history_figure(more)
    render(figure)
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[4:]] == ["2 s an epoch, 1.23 GiB"] * 2
    assert figure.axes[4].get_yscale() == "log"
    assert figure.axes[4].get_lines()[0].get_ydata() == pytest.approx([1e-3] * 6)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "validation", "best epoch", "balanced accuracy"]


def test_history_of_a_rate_of_zero_and_unknown_memory_renders(history: pd.DataFrame):
    figure = history_figure(history.assign(lr=0.0, seconds=0.5, memory_gib=np.nan))
    render(figure)
    assert figure.axes[4].get_title() == "0.5 s an epoch"
