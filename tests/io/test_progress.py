import io
import logging
from collections.abc import Iterator

import pytest

from octa_kedro.io.progress import EVERY, LoggedProgress, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_it_is_a_bar(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with progress(total=3, desc="volumes", unit="eye") as bar:
        bar.update()
        bar.set_postfix(loss="0.5")
        bar.update(2)
    assert "\r" in screen.getvalue()
    assert "volumes: 100%" in screen.getvalue()
    assert "3/3" in screen.getvalue()
    assert caplog.messages == []


def test_in_a_file_it_is_lines_of_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    for _ in progress(["a", "b"], desc="volumes", unit="eye"):
        pass
    assert caplog.messages == ["volumes: eye 2/2, 00:00 elapsed"]
    assert "\r" not in stream.getvalue()


def test_without_stderr_it_logs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stderr", None)
    assert isinstance(progress(total=3, desc="volumes", unit="eye"), LoggedProgress)


def test_a_line_comes_now_and_then_and_one_at_the_end(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock = Clock()
    with LoggedProgress(total=100, desc="fold 1", unit="epoch", clock=clock) as bar:
        for n in range(100):
            clock.now += EVERY / 40
            bar.set_postfix(loss=f"{n / 100:.2f}", auroc="0.80")
            bar.update()
    assert caplog.messages == [
        "fold 1: epoch 40/100, 00:20 elapsed, 00:30 left, loss=0.39, auroc=0.80",
        "fold 1: epoch 80/100, 00:40 elapsed, 00:10 left, loss=0.79, auroc=0.80",
        "fold 1: epoch 100/100, 00:50 elapsed, loss=0.99, auroc=0.80",
    ]


def test_slow_steps_have_a_line_each(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock = Clock()

    def epochs() -> Iterator[int]:
        for n in range(3):
            yield n
            clock.now += 3600

    for _ in LoggedProgress(epochs(), total=3, desc="fold 1", unit="epoch", clock=clock):
        clock.now += 60
    assert caplog.messages == [
        "fold 1: epoch 1/3, 01:00 elapsed, 02:00 left",
        "fold 1: epoch 2/3, 1:02:00 elapsed, 31:00 left",
        "fold 1: epoch 3/3, 3:03:00 elapsed",
    ]


def test_what_was_done_before_does_not_count_for_the_time_left(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock = Clock()
    with LoggedProgress(total=20, initial=10, desc="fold 1", unit="epoch", clock=clock) as bar:
        clock.now += 30
        bar.update(5)
        clock.now += 30
    assert caplog.messages == ["fold 1: epoch 15/20, 00:30 elapsed, 00:30 left"]


def test_an_unknown_total_is_not_stated(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    assert list(LoggedProgress(iter("abc"), desc="files", unit="file", clock=Clock())) == ["a", "b", "c"]
    assert caplog.messages == ["files: file 3, 00:00 elapsed"]


def test_a_loop_that_is_left_says_how_far_it_came(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    for n in LoggedProgress(range(9), total=9, desc="fold 1", unit="epoch", clock=Clock()):
        if n == 4:
            break
    assert caplog.messages == ["fold 1: epoch 4/9, 00:00 elapsed, 00:00 left"]


def test_nothing_is_said_of_nothing_or_when_disabled(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with LoggedProgress(total=0, desc="volumes", unit="eye"):
        pass
    for disable in (True, False):
        bar = progress([1, 2] if disable else [], desc="volumes", unit="eye", disable=disable)
        assert list(bar) == ([1, 2] if disable else [])
    assert caplog.messages == []
