"""Is the map better than what knows no network? A conclusion from paired differences, eye by eye."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.explain.scoring import MAP

Interval = Callable[[pd.Series, pd.DataFrame], tuple[float, float, float]]
"""Mean, low and high of a value per row."""

CHANCE, CENTRE = "chance", "centre of the grid"
BY_VOXELS, BY_DEPTH = "voxel AP", "depth hit"
_MEASURES = {BY_VOXELS: ("voxel_ap", "prevalence"), BY_DEPTH: ("peak_in_slab", "slab_share_of_retina")}
NO_VERDICT: Mapping[str, Any] = {
    "judged_by": "", "rival": "", "gain": math.nan, "gain_low": math.nan, "gain_high": math.nan, "conclusion": "",
}  # fmt: skip
FEWEST_PATIENTS = 5
"""Of fewer, a bootstrap has too few different resamples for an interval to mean what it says."""


def judge(group: pd.DataFrame, interval: Interval) -> dict[str, Any]:
    """The verdict on the map of one model, part and disease, whose scores by all methods are `group`.

    It is judged by voxel AP where there are masks, by depth hit otherwise. For every control, and for chance, the mean
    over eyes of (score of the map - score of the control on the same eye) is taken with its bootstrap interval; the map
    exceeds a control if the whole interval lies above 0. Returned are NO_VERDICT's columns: `rival` is the control
    with the lowest lower bound, and gain, gain_low, gain_high are the difference to it.
    """
    own = group[group["method"] == MAP].set_index("subject", drop=False)
    by = BY_VOXELS if own["voxel_ap"].notna().any() else BY_DEPTH
    measure, chance = _MEASURES[by]
    rivals = {
        str(method): rows.set_index("subject")[measure]
        for method, rows in group[group["method"] != MAP].groupby("method", sort=False)
    }
    if by == BY_DEPTH:
        rivals.setdefault(CENTRE, own["centre_in_slab"])
    gains = {name: own[measure] - rival.reindex(own.index) for name, rival in ({CHANCE: own[chance]} | rivals).items()}
    gains = {name: gain for name, gain in gains.items() if gain.notna().any()}
    patients = (own["patient"] if "patient" in own else own["subject"])[own[measure].notna()].nunique()
    if patients < FEWEST_PATIENTS or not gains:
        why = f"cannot be judged: {patients} correctly classified patients, at least {FEWEST_PATIENTS} are needed"
        return {**NO_VERDICT, "judged_by": by, "conclusion": why}
    found = {name: interval(gain, own) for name, gain in gains.items()}
    nearest = min((name for name in found if name != CHANCE), key=lambda name: _low(found[name]), default=CHANCE)
    gain, low, high = found[nearest]
    return {
        "judged_by": by, "rival": nearest, "gain": gain, "gain_low": low, "gain_high": high,
        "conclusion": _sentence(by, found, nearest),
    }  # fmt: skip


def _sentence(by: str, found: Mapping[str, tuple[float, float, float]], nearest: str) -> str:
    target = "the lesion" if by == BY_VOXELS else "the lesion's slab"
    not_exceeded = [name for name, gain in found.items() if not _low(gain) > 0]
    gain, low, high = found[CHANCE if CHANCE in not_exceeded else nearest]
    figures = f"{by} {gain:+.2f} [{low:+.2f}, {high:+.2f}]"
    if CHANCE in not_exceeded:
        return f"does not exceed chance in finding {target} ({figures} to it)"
    if not_exceeded:
        return f"exceeds chance, but does not exceed {' and '.join(not_exceeded)} ({figures} to {nearest})"
    if nearest == CHANCE:
        return f"finds {target} better than chance ({figures} to it); no control was scored"
    return f"finds {target} better than every control ({figures} to {nearest})"


def _low(gain: tuple[float, float, float]) -> float:
    return -math.inf if math.isnan(gain[1]) else gain[1]
