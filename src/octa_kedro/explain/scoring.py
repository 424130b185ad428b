"""All maps of an eye that are scored alike: the network's, other maps and controls; and a threshold for all eyes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.evaluation.predictions import HELD_OUT
from octa_kedro.explain.controls import CONTROLS, Eye
from octa_kedro.explain.localisation import check_map, lesion_mask
from octa_kedro.explain.overlap import CANDIDATES, dice_curve, scale_to_unit
from octa_kedro.io.volume import Volume

MAP = "map"
"""The method of the network's own map, beside which every other one is a control."""

Curve = NDArray[np.float64]


def methods_of(heat: Volume, others: Mapping[str, Volume], eye: Eye | None) -> Iterator[tuple[str, Volume]]:
    """Name and map of everything that is scored for one eye; without an `eye` to look at there are no controls."""
    yield MAP, heat
    yield from others.items()
    if eye is None:
        return
    for name, control in CONTROLS.items():
        made = control(eye)
        if made is not None:
            yield name, made


def curve_of(heat: Volume, lesion: Volume | None, subject: str) -> Curve:
    """Dice at every candidate threshold of the map scaled to [0, 1]; NaN where there is nothing to overlap."""
    nothing = np.full(len(CANDIDATES), np.nan)
    if lesion is None:
        return nothing
    check_map(heat, subject)
    mask, unit = lesion_mask(heat, lesion, subject), scale_to_unit(heat.array)
    return nothing if unit is None or not mask.any() else dice_curve(unit, mask)


def choose_thresholds(scores: pd.DataFrame, curves: Sequence[Curve]) -> pd.DataFrame:
    """`scores` with threshold_chosen, iou_chosen and dice_chosen of held-out eyes, per method.

    `curves` are those of the rows (`curve_of`). The threshold is the candidate with the highest mean Dice over the
    development eyes of a method, which is judged on eyes that had no part in choosing it: rows of development eyes, and
    all rows of a method without development eyes to choose on, are NaN.
    """
    chosen = scores.assign(threshold_chosen=np.nan, iou_chosen=np.nan, dice_chosen=np.nan)
    if chosen.empty:
        return chosen
    stacked = np.stack(curves)
    defined = ~np.isnan(stacked).any(axis=1)
    held_out = (chosen["part"] == HELD_OUT).to_numpy()
    for method in chosen["method"].unique():
        rows = defined & (chosen["method"] == method).to_numpy()
        development, judged = rows & ~held_out, rows & held_out
        if not development.any():
            continue
        best = int(np.argmax(stacked[development].mean(axis=0)))
        dice = stacked[judged, best]
        chosen.loc[judged, "threshold_chosen"] = CANDIDATES[best]
        chosen.loc[judged, "dice_chosen"] = dice
        chosen.loc[judged, "iou_chosen"] = dice / (2 - dice)
    return chosen
