"""What is measured after an epoch: metrics of the validation set, and memory of the process."""

import math
from pathlib import Path

import numpy as np
import torch

from octa_kedro.evaluation.metrics import (
    FloatArray,
    Ranking,
    count_metrics,
    predict_positive,
    weighted_confusion,
)

NAMES = ("auroc", "accuracy", "balanced_accuracy", "f1", "brier")
HALF = 0.5
GIB = 2**30
PAGES = Path("/proc/self/smaps_rollup")


def epoch_metrics(logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """``val_`` and each of `NAMES` for logits ``(N, K)`` and targets ``(N,)``; NaN where one is undefined.

    They are those of `evaluation`, at a threshold of one half. With more than two classes AUROC and F1 are means
    over the classes. The Brier score is that of the positive class, or with more than two classes the sum over
    them (Brier 1950). All are NaN if a logit is not finite.
    """
    if not len(targets) or not bool(torch.isfinite(logits).all()):
        return {f"val_{name}": math.nan for name in NAMES}
    truth = targets.cpu().numpy().astype(np.int64)
    shares = torch.softmax(logits.detach().cpu().double(), dim=1).numpy()
    classes = shares.shape[1]
    two = classes == 2
    called = predict_positive(shares[:, 1], HALF).astype(np.int64) if two else shares.argmax(axis=1)
    counts = count_metrics(weighted_confusion(np.ones((1, len(truth))), truth, called, classes))
    f1 = counts.each["f1"][:, 1] if two else counts.shared["macro_f1"]
    found = {name: float(counts.shared[name][0]) for name in ("accuracy", "balanced_accuracy")} | {"f1": float(f1[0])}
    if two:
        # by logits: probabilities near 1 are all 1, and ties would be counted
        found["auroc"] = _auroc(truth == 1, (logits[:, 1].double() - logits[:, 0].double()).detach().cpu().numpy())
        squares = (shares[:, 1] - truth) ** 2
    else:
        found["auroc"] = float(np.mean([_auroc(truth == k, shares[:, k]) for k in range(classes)]))
        squares = ((shares - np.eye(classes)[truth]) ** 2).sum(axis=1)
    found["brier"] = float(squares.mean())
    return {f"val_{name}": found[name] for name in NAMES}


def memory_gib(device: torch.device) -> float:
    """GiB of memory: on CUDA the most that was allocated since its statistics were last reset; on a CPU what this
    process has for itself now, without pages of files that are mapped. NaN where that is not known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    if device.type != "cpu" or not PAGES.is_file():
        return math.nan
    # statm is cheaper, but the kernel lets it lag behind: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
    kibibytes = next(
        line.split()[1] for line in PAGES.read_text(encoding="utf-8").splitlines() if line.startswith("Anonymous:")
    )
    return int(kibibytes) * 1024 / GIB


def _auroc(positive: np.ndarray, scores: FloatArray) -> float:
    return float(Ranking(positive, scores).auroc(np.ones((1, len(scores))))[0])
