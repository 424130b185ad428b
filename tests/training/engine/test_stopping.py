"""The best epoch, and the end."""

import math

import pytest
from pydantic import ValidationError

from octa_kedro.training.engine.config import StopConfig
from octa_kedro.training.engine.stopping import Stopping


def follow(values: list[float], max_epochs: int = 100, **config) -> tuple[Stopping, int]:
    """The state when training ends, and the epoch it ends at (0: it has not ended)."""
    stopping = Stopping(StopConfig.model_validate({"metric": "val_loss"} | config), max_epochs)
    for epoch, value in enumerate(values, 1):
        stopping.improves(epoch, {stopping.config.metric: value})
        if stopping.ends(epoch):
            return stopping, epoch
    return stopping, 0


def test_a_loss_is_best_when_small_and_an_auroc_when_large():
    assert follow([3, 1, 2])[0].best_epoch == 2
    assert follow([0.5, 0.9, 0.7], metric="val_auroc")[0].best_epoch == 2
    assert follow([0.5, 0.9, 0.9], metric="val_f1")[0].best_epoch == 2  # the first of equals


def test_patience_counts_epochs_without_a_gain():
    stopping, end = follow([3, 2, 2.5, 2.4, 2.3], patience=3)
    assert (stopping.best_epoch, end) == (2, 5)
    assert follow([3, 2, 2.5, 2.4, 1.9], patience=3)[1] == 0


def test_small_gains_within_the_tolerance_are_kept_but_do_not_prolong():
    values = [1.0, 0.99, 0.98, 0.97]
    stopping, end = follow(values, patience=3, tolerance=0.05)
    assert (stopping.best_epoch, end) == (4, 4)
    # Each alone is below the tolerance, together they are not: measured from where the last gain was.
    assert follow([1.0, 0.97, 0.94, 0.93], patience=3, tolerance=0.05)[1] == 0


def test_early_epochs_are_not_kept_and_do_not_count():
    stopping, end = follow([0.1, 5, 4, 3], max_epochs=4, keep_from=0.5, patience=1)
    assert (stopping.best_epoch, stopping.best, end) == (4, 3, 4)


def test_an_undefined_metric_is_never_best():
    stopping, end = follow([math.nan, math.nan, 0.6, math.nan], metric="val_auroc", patience=2)
    assert (stopping.best_epoch, end) == (3, 0)
    assert follow([math.nan] * 4, max_epochs=4)[0].best_epoch == 0


def test_the_last_epoch_is_kept_whatever_its_metric_and_patience_does_not_count():
    stopping, end = follow([1, 2, 3, 4, math.nan], max_epochs=5, keep="last", patience=1)
    assert (stopping.best_epoch, end) == (5, 5)
    assert follow([1, 2, 3, 4], max_epochs=5, keep="last", patience=1)[0].best_epoch == 0


def test_it_resumes_from_its_state():
    whole, end = follow([3, 2, 2.5, 2.4, 2.3], patience=3)
    half, _ = follow([3, 2, 2.5], patience=3)
    other = Stopping(half.config, 100)
    other.restore(half.state())
    for epoch, value in ((4, 2.4), (5, 2.3)):
        assert not other.improves(epoch, {"val_loss": value})
    assert other.ends(5)
    assert other.state() == whole.state()
    assert end == 5


def test_an_unknown_metric_is_named_with_a_near_one():
    with pytest.raises(ValidationError, match="did you mean val_auroc"):
        StopConfig(metric="val_aurox")
    with pytest.raises(ValidationError, match="known: train_loss"):
        StopConfig(metric="zzz")
