import math
import mmap
import sys

import numpy as np
import pytest
import torch

from octa_kedro.training.engine.metrics import NAMES, epoch_metrics, memory_gib


def logits_of(*probabilities: float) -> torch.Tensor:
    """Logits ``(N, 2)`` of these probabilities of class 1."""
    shares = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack([(1 - shares).log(), shares.log()], dim=1)


def test_two_classes_by_hand():
    # tp 2, fn 1, fp 1, tn 1; of the 6 pairs 4 are in order: .9 and .6 above .2, .9 above .7, .4 above .2
    found = epoch_metrics(logits_of(0.9, 0.6, 0.4, 0.7, 0.2), torch.tensor([1, 1, 1, 0, 0]))
    brier = (0.01 + 0.16 + 0.36 + 0.49 + 0.04) / 5
    expected = {"auroc": 4 / 6, "accuracy": 0.6, "balanced_accuracy": (2 / 3 + 1 / 2) / 2, "f1": 4 / 6, "brier": brier}
    assert found == pytest.approx({f"val_{name}": value for name, value in expected.items()})


def test_three_classes_by_hand():
    shares = torch.tensor([[0.6, 0.35, 0.05], [0.2, 0.5, 0.3], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    found = epoch_metrics(shares.log(), torch.tensor([0, 1, 1, 2]))
    # sensitivities 1, 1/2, 1; F1 2/3, 2/3, 1; AUROC: class 0 3 of 3 pairs, class 1 3 of 4 (.5 above .35
    # and .2, .3 above .2 only), class 2 3 of 3
    squares = (0.16 + 0.1225 + 0.0025) + (0.04 + 0.25 + 0.09) + (0.25 + 0.49 + 0.04) + (0.01 + 0.04 + 0.09)
    expected = {
        "val_auroc": (1 + 3 / 4 + 1) / 3,
        "val_accuracy": 3 / 4,
        "val_balanced_accuracy": 2.5 / 3,
        "val_f1": (2 / 3 + 2 / 3 + 1) / 3,
        "val_brier": squares / 4,
    }
    assert found == pytest.approx(expected, rel=1e-6)


def test_what_one_class_leaves_undefined_is_nan():
    found = epoch_metrics(logits_of(0.9, 0.2), torch.tensor([0, 0]))
    assert {name for name, value in found.items() if math.isnan(value)} == {
        "val_auroc",
        "val_balanced_accuracy",
        "val_f1",
    }
    assert found["val_accuracy"] == 0.5
    several = epoch_metrics(torch.eye(3)[:2], torch.tensor([0, 1]))
    assert math.isnan(several["val_auroc"])
    assert several["val_accuracy"] == 1


@pytest.mark.parametrize("bad", [torch.tensor([[math.nan, 0.0]]), torch.empty((0, 2))])
def test_of_nothing_and_of_broken_logits_all_is_nan(bad: torch.Tensor):
    found = epoch_metrics(bad, torch.ones(len(bad), dtype=torch.long))
    assert list(found) == [f"val_{name}" for name in NAMES]
    assert all(math.isnan(value) for value in found.values())


def test_auroc_tells_very_sure_logits_apart():
    logits = torch.tensor([[0.0, 100.0], [0.0, 200.0]])
    assert epoch_metrics(logits, torch.tensor([0, 1]))["val_auroc"] == 1


def test_inputs_that_need_gradients_and_low_precision():
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    assert epoch_metrics(logits, torch.tensor([1, 0]))["val_accuracy"] == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from /proc")
def test_memory_of_the_process_leaves_mapped_files_out(tmp_path):
    before = memory_gib(torch.device("cpu"))
    assert 0 < before < 64
    # of the system's, not of what the allocator kept of an earlier test: that would be no growth
    region = mmap.mmap(-1, 2**28, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    held = np.frombuffer(region, np.float64)  # a quarter of a GiB
    held[:] = 1
    assert memory_gib(torch.device("cpu")) - before == pytest.approx(0.25, abs=0.05)
    held.tofile(tmp_path / "held")
    del held
    region.close()
    mapped = np.memmap(tmp_path / "held", dtype=np.float64, mode="r")
    assert mapped.sum() == 2**25
    assert memory_gib(torch.device("cpu")) - before < 0.1


def test_memory_elsewhere_is_unknown():
    assert math.isnan(memory_gib(torch.device("meta")))
