"""Why a metric is undefined, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from octa_kedro.evaluation.scores import Judged

SEPARATED = "the probabilities separate the classes, so that no finite slope fits"


def undefined_because(name: str, judged: Judged) -> str:
    """Say why the metric `name` of these eyes is NaN."""
    if not len(judged.target):
        return "no eyes"
    if len(judged.names) > 2:
        return _of_several(name, judged)
    positives = int((judged.target == 1).sum())
    needs_positive = name in {"sensitivity", "f1"}
    needs_negative = name == "specificity"
    needs_both = name in {"balanced_accuracy", "mcc", "auroc", "auprc", *_CALIBRATION, *_AT_PREVALENCE}
    if positives == 0 and (needs_positive or needs_both):
        return "no eye is of the positive class"
    if positives == len(judged.target) and (needs_negative or needs_both):
        return "no eye is of the negative class"
    if name in _CALIBRATION:
        return "all probabilities are equal" if np.ptp(judged.shares[:, 1]) == 0 else SEPARATED
    called = "negative" if name.startswith("npv") or not (judged.called == 0).any() else "positive"
    return "all eyes are of one class, and called so" if name == "kappa" else f"no eye is predicted {called}"


_CALIBRATION = ("calibration_slope", "calibration_intercept")
_AT_PREVALENCE = ("ppv_at_prevalence", "npv_at_prevalence")


def _of_several(name: str, judged: Judged) -> str:
    absent = [known for k, known in enumerate(judged.names) if not (judged.target == k).any()]
    if name == "mcc":
        return "all eyes are of one class" if len(judged.names) - len(absent) == 1 else "all eyes are called one class"
    if name.endswith("kappa"):
        return "all eyes are of one class, and called so"
    metric, _, of_class = name.partition("_")
    if metric in {"precision", "npv"}:
        return f"no eye is predicted {of_class}" if metric == "precision" else f"every eye is predicted {of_class}"
    if absent and not (metric in {"specificity", "auroc", "auprc"} and of_class not in absent):
        return f"no eye is of class {', '.join(absent)}"
    return f"every eye is of class {of_class}"
