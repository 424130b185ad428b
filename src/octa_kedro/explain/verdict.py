"""Is the map better than what knows no network? A conclusion from paired differences, eye by eye."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from octa_kedro.evaluation.proportions import wilson_interval
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.scoring import MAP

Interval = Callable[[pd.Series, pd.DataFrame], tuple[float, float, float]]
"""Mean, low and high of a value per row."""

CHANCE, CENTRE = "chance", "centre of the grid"
BY_VOXELS, BY_DEPTH, BY_PEAK = "voxel AP", "depth hit", "peak in the lesion"
_MEASURES = {
    BY_VOXELS: ("voxel_ap", "prevalence"),
    BY_DEPTH: ("peak_in_slab", "slab_share_of_retina"),
    BY_PEAK: ("peak_in_lesion", "prevalence"),
}
NO_VERDICT: Mapping[str, Any] = {
    "judged_by": "", "rival": "", "gain": math.nan, "gain_low": math.nan, "gain_high": math.nan,
    "peak_rival": "", "peak_gain": math.nan, "peak_gain_low": math.nan, "peak_gain_high": math.nan, "conclusion": "",
}  # fmt: skip
FEWEST_PATIENTS = 5
"""Of fewer, a bootstrap has too few different resamples for an interval to mean what it says."""


@dataclass(frozen=True)
class _Compared:
    """The differences, with their intervals, of the map to chance and to each control by one measure."""

    found: Mapping[str, tuple[float, float, float]]

    @property
    def nearest(self) -> str:
        """The control with the lowest lower bound; chance if there is none."""
        return min((name for name in self.found if name != CHANCE), key=lambda n: _low(self.found[n]), default=CHANCE)

    @property
    def not_exceeded(self) -> list[str]:
        """Chance and controls above which the whole interval does not lie."""
        return [name for name, gain in self.found.items() if not _low(gain) > 0]

    def columns(self, prefix: str = "") -> dict[str, Any]:
        """The difference to the nearest control, as columns of a summary."""
        gain, low, high = self.found[self.nearest]
        names = ("rival", "gain", "gain_low", "gain_high")
        return dict(zip((prefix + name for name in names), (self.nearest, gain, low, high), strict=True))


def judge(group: pd.DataFrame, interval: Interval, level: float = 0.95) -> dict[str, Any]:
    """The verdict on the map of one model, part and disease, whose scores by all methods are `group`.

    It is judged by voxel AP and by its peak where there are masks, by depth hit otherwise. For every control, and for
    chance, the mean over eyes of (score of the map - score of the control on the same eye) is taken with its
    bootstrap interval; the map exceeds a control if the whole interval lies above 0. For the peak, which hits or misses
    the lesion, only eyes count in which map and control differ, as in McNemar's test. Returned are NO_VERDICT's
    columns: `rival` is the control with the lowest lower bound, gain, gain_low and gain_high are the difference to it,
    and peak_rival, peak_gain, ... the same of the peak. Wilson's interval of the share of hits has that `level`.
    """
    own = group[group["method"] == MAP].set_index("subject", drop=False)
    by = BY_VOXELS if own["voxel_ap"].notna().any() else BY_DEPTH
    compared = _compare(own, group, by, interval)
    patients = (own["patient"] if "patient" in own else own["subject"])[own[_MEASURES[by][0]].notna()].nunique()
    if patients < FEWEST_PATIENTS or not compared.found:
        why = f"cannot be judged: {patients} correctly classified patients, at least {FEWEST_PATIENTS} are needed"
        return {**NO_VERDICT, "judged_by": by, "conclusion": why}
    verdict = {**NO_VERDICT, "judged_by": by, **compared.columns(), "conclusion": _sentence(by, compared)}
    if by == BY_DEPTH:
        return verdict
    peak = _compare(own, group, BY_PEAK, interval)
    if not peak.found:
        return verdict
    verdict |= peak.columns("peak_")
    verdict["conclusion"] += f"; {_peak_sentence(own['peak_in_lesion'], peak, level)}"
    return verdict


def _compare(own: pd.DataFrame, group: pd.DataFrame, by: str, interval: Interval) -> _Compared:
    measure, chance = _MEASURES[by]
    rivals = {
        str(method): rows.set_index("subject")[measure]
        for method, rows in group[group["method"] != MAP].groupby("method", sort=False)
    }
    if by == BY_DEPTH:
        rivals.setdefault(CENTRE, own["centre_in_slab"])
    gains = {name: own[measure] - rival.reindex(own.index) for name, rival in ({CHANCE: own[chance]} | rivals).items()}
    return _Compared({name: interval(gain, own) for name, gain in gains.items() if gain.notna().any()})


def _sentence(by: str, compared: _Compared) -> str:
    target = "the lesion" if by == BY_VOXELS else "the lesion's slab"
    nearest, not_exceeded = compared.nearest, compared.not_exceeded
    figures = f"{by} {_gain(compared.found[CHANCE if CHANCE in not_exceeded else nearest])}"
    if CHANCE in not_exceeded:
        return f"does not exceed chance in finding {target} ({figures} to it)"
    if not_exceeded:
        return f"exceeds chance, but does not exceed {' and '.join(not_exceeded)} ({figures} to {nearest})"
    if nearest == CHANCE:
        return f"finds {target} better than chance ({figures} to it); no control was scored"
    return f"finds {target} better than every control ({figures} to {nearest})"


def _peak_sentence(hits: pd.Series, compared: _Compared, level: float) -> str:
    n, hit = int(hits.notna().sum()), int(hits.sum())
    share = f"its peak lies in the lesion in {format_interval(hit / n, *wilson_interval(hit, n, level))} of eyes"
    nearest, not_exceeded = compared.nearest, compared.not_exceeded
    if CHANCE in not_exceeded:
        return f"{share}, not above chance ({_gain(compared.found[CHANCE])})"
    if not_exceeded:
        gain = _gain(compared.found[nearest])
        return f"{share}, above chance, but not above {' and '.join(not_exceeded)} ({gain} to {nearest})"
    above = "chance" if nearest == CHANCE else "every control"
    return f"{share}, above {above} by at least {_gain(compared.found[nearest])} ({nearest})"


def _gain(gain: tuple[float, float, float]) -> str:
    mean, low, high = gain
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def _low(gain: tuple[float, float, float]) -> float:
    return -math.inf if math.isnan(gain[1]) else gain[1]
