"""The summary of scores as text to read: methods beside each other, and a conclusion for each disease."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.summary import POOLED

_PART_TITLES = {POOLED: "all eyes", "held_out": "held-out eyes", "out_of_fold": "out-of-fold eyes"}
INTERVALS = {
    "peak in lesion": ("lesion_rate", "lesion_low", "lesion_high"),
    "voxel AP": ("voxel_ap", "voxel_ap_low", "voxel_ap_high"),
    "depth hit": ("rate", "low", "high"),
}
MEANS = {
    "energy": "mass_in_lesion", "IoU": "iou_otsu", "Dice": "dice_otsu", "Dice*": "dice_chosen", "IoA": "ioa_otsu",
    "wIoA": "wioa_otsu",
}  # fmt: skip
"""What scores are called, and their columns in a summary: value and interval, or mean."""
_NOTES = (
    "Peak in lesion: share of eyes whose highest voxel lies in the lesion. Voxel AP: average precision of the map's "
    "values as a ranking of the retina's voxels.",
    "Depth hit: the highest voxel lies in the lesion's slab. Energy: share of the map's sum inside the lesion. IoU, "
    "Dice, IoA, wIoA: at Otsu's threshold;",
    "Dice*: held-out eyes, at the threshold that was best on development eyes. In brackets: {level:g} % intervals.",
)


def format_hits(summary: pd.DataFrame, level: float = 0.95) -> str:
    """The summary, whose intervals have that `level`, as text: a block per model, disease and part, with methods as
    rows, and its conclusion below."""
    if summary.empty:
        return (
            "no correctly classified eye of the explained class has a slab or a lesion mask to hit: nothing to score "
            "(evidence for the negative class marks no lesion)"
        )
    blocks, conclusions = [], []
    for (model, disease, part), group in summary.groupby(["model", "disease", "part"], sort=True):
        blocks.append(_block(f"{model}, {disease}, {_PART_TITLES.get(str(part), str(part))}", group))
        if part == POOLED:
            own = group[group["method"] == MAP]
            conclusions += [f"{model}, {disease}: the map {text}." for text in own["conclusion"] if text]
    return "\n\n".join([*blocks, "\n".join(_NOTES).format(level=100 * level), "\n".join(["Conclusions", *conclusions])])


def format_findings(findings: pd.DataFrame) -> str:
    """What the network's map marks, by finding: voxel AP beside its chance level, highest first in each disease."""
    own = findings[findings["method"] == MAP].sort_values(
        ["model", "disease", "voxel_ap"], ascending=[True, True, False]
    )
    lines = []
    for row in own.to_dict("records"):
        precision = format_interval(row["voxel_ap"], row["voxel_ap_low"], row["voxel_ap_high"])
        lines.append(
            f"{row['model']}, {row['disease']}, {row['finding']} ({row['eyes']} eyes): voxel AP {precision}, chance "
            f"{row['prevalence']:.3f}; peak in it in {row['hits']}"
        )
    return "\n".join(lines) if lines else "no lesion mask of a correctly classified eye: nothing to tell by finding"


def _block(title: str, group: pd.DataFrame) -> str:
    own = group[group["method"] == MAP].to_dict("records")
    lines = [f"{title}: {_said(own[0])}" if own else title]
    width = max(len("method"), *(len(str(method)) for method in group["method"]))
    heads = [*(f"{name:<18}" for name in INTERVALS), *(f"{name:>6}" for name in MEANS)]
    lines.append("  ".join([f"  {'method':<{width}}", *heads]))
    for row in group.to_dict("records"):
        cells = [f"{format_interval(*(row[key] for key in keys)):<18}" for keys in INTERVALS.values()]
        cells += [f"{_number(row[key]):>6}" for key in MEANS.values()]
        lines.append("  ".join([f"  {row['method']:<{width}}", *cells]))
    if own and own[0]["conclusion"]:
        lines.append(f"  The map {own[0]['conclusion']}.")
    return "\n".join(lines)


def _said(row: Mapping[Hashable, Any]) -> str:
    """Counts, chance levels and cell size of a block."""
    facts = []
    if row["n_lesion"]:
        facts.append(
            f"peak in the lesion in {row['lesion_hits']} of {row['n_lesion']} correctly classified eyes (chance of a "
            f"voxel {_number(row['prevalence'])})"
        )
    if row["n"]:
        facts.append(
            f"peak in the lesion's slab in {row['hits']} of {row['n']} correctly classified eyes (chance "
            f"{_number(row['chance_slab_share'])}, the slab's share of the retina; centre of the grid "
            f"{_number(row['chance_centre_prior'])})"
        )
    if not math.isnan(row["cell_depth_mm"]):
        facts.append(f"cells {row['cell_depth_mm']:.3f} mm deep")
    if row["empty_maps"]:
        facts.append(f"{row['empty_maps']} further correctly classified eyes have an empty map")
    return "; ".join(facts)


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2f}"
