import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.figures.history import history_figure, kept_epoch_words

from .drawing import render


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


def test_history_has_a_column_per_fold_and_marks_the_best_epoch(history: pd.DataFrame):
    figure = history_figure(history)
    render(figure)
    assert len(figure.axes) == 4
    assert figure.axes[0].get_title() == "Fold 1: 6 epochs\nkept 4, AUROC 0.68"
    assert figure.axes[1].get_title() == "Fold 2: 6 epochs\nkept 5, AUROC 0.74"
    marks = [line for line in figure.axes[1].get_lines() if line.get_marker() == "*"]
    assert marks[0].get_xdata() == pytest.approx([5])
    assert marks[0].get_ydata() == pytest.approx([0.6])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "validation", "kept epoch"]


def test_the_star_says_the_rule_that_chose_the_epoch(history: pd.DataFrame):
    figure = history_figure(history.assign(best_by="val_loss", kept_from=3))
    assert figure.legends[0].get_texts()[2].get_text() == "kept epoch: lowest validation loss from epoch 3 on"
    assert kept_epoch_words(history.assign(best_by="last", kept_from=1)) == "kept epoch: the last one"


def test_each_seed_has_a_column(history: pd.DataFrame):
    figure = history_figure(pd.concat([history.assign(seed=1), history.assign(seed=2)]))
    render(figure)
    titles = [axes.get_title().split(":")[0] for axes in figure.axes[:4]]
    assert titles == ["Fold 1", "Fold 2", "Fold 1, seed 2", "Fold 2, seed 2"]


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
    assert figure.axes[0].get_title() == "Fold 1: 6 epochs\nkept 4"
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "*"]
    assert marks[0].get_ydata() == pytest.approx([0.25])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "kept epoch"]


def test_history_with_costs_has_a_third_row(history: pd.DataFrame):
    more = history.assign(seconds=[1.0, 2, 9, 2, 2, 2] * 2, memory_gib=1.234, val_balanced_accuracy=0.7)
    figure = history_figure(more)
    render(figure)
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[4:]] == ["2 s an epoch, 1.23 GiB"] * 2
    assert figure.axes[4].get_yscale() == "log"
    assert figure.axes[4].get_lines()[0].get_ydata() == pytest.approx([1e-3] * 6)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "validation", "kept epoch", "balanced accuracy"]


def test_history_of_a_rate_of_zero_and_unknown_memory_renders(history: pd.DataFrame):
    figure = history_figure(history.assign(lr=0.0, seconds=0.5, memory_gib=np.nan))
    render(figure)
    assert figure.axes[4].get_title() == "0.5 s an epoch"
