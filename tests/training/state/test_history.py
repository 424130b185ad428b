import logging
import os
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from octa_kedro.training.state import history
from octa_kedro.training.state.history import EVERY, HistoryWriter, complete_history, history_table


def rows(epochs: int) -> list[dict[str, object]]:
    return [
        {
            "fold": 1,
            "epoch": n,
            "train_loss": 1 / n,
            "val_loss": 0.5 + 1 / n,
            "val_auroc": 0.6,
            "lr": 1e-3,
            "seconds": 2,
        }
        for n in range(1, epochs + 1)
    ]


class Clock:
    """Time that passes when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_table_marks_the_best_epoch():
    assert history_table(rows(3), 2)["best"].tolist() == [False, True, False]
    assert history_table(rows(1), 0)["best"].tolist() == [False]


def test_table_after_each_epoch_and_figure_at_the_end(tmp_path: Path):
    writer = HistoryWriter(tmp_path / "fold_1", clock=Clock())
    for n in (1, 2):
        writer.write(rows(n), n)
        table = pd.read_csv(tmp_path / "fold_1" / "history.csv")
        pd.testing.assert_frame_equal(table, history_table(rows(n), n))
    assert not (tmp_path / "fold_1" / "history.png").exists()
    writer.close()
    with Image.open(tmp_path / "fold_1" / "history.png") as picture:
        assert min(picture.size) > 100
    assert {p.name for p in (tmp_path / "fold_1").iterdir()} == {"history.csv", "history.png"}


def test_the_figure_is_drawn_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock, drawn = Clock(), []

    def draw(table: pd.DataFrame):
        drawn.append(len(table))
        clock.now += 0.75  # so that it waits 37.5 s, not 10
        raise ValueError("drawing is not what is tested")

    monkeypatch.setattr(history, "history_figure", draw)
    writer = HistoryWriter(tmp_path, clock=clock)
    for n in range(1, 13):
        clock.now += EVERY / 2
        writer.write(rows(n), 0)
    writer.close()
    writer.close()
    assert drawn == [2, 10, 12]


def test_a_failure_to_draw_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(history, "history_figure", lambda table: 1 / 0)
    writer = HistoryWriter(tmp_path, clock=Clock())
    writer.write(rows(1), 1)
    with caplog.at_level(logging.WARNING):
        writer.close()
    assert caplog.messages == [f"{tmp_path / 'history.png'} could not be drawn"]
    assert "ZeroDivisionError" in caplog.text
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


@pytest.mark.parametrize("behind", ["nothing is there", "the last epoch is missing", "the figure is older"])
def test_what_a_kill_left_behind_of_a_finished_history_is_written(tmp_path: Path, behind: str):
    table, figure = tmp_path / "history.csv", tmp_path / "history.png"
    if behind != "nothing is there":
        complete_history(tmp_path, rows(3 if behind == "the figure is older" else 2), 2)
        os.utime(figure, ns=(0, 0))
    complete_history(tmp_path, rows(3), 2)
    pd.testing.assert_frame_equal(pd.read_csv(table), history_table(rows(3), 2))
    drawn = figure.stat().st_mtime_ns
    assert drawn > 0
    complete_history(tmp_path, rows(3), 2)
    assert figure.stat().st_mtime_ns == drawn
