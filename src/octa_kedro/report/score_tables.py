"""Scores as the tables and drawings of a page."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.hits_text import INTERVALS, MEANS
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.summary import POOLED
from octa_kedro.report.charts import Dot, dot_chart
from octa_kedro.report.sections import Section, Table

OWN = "the network's map"
PARTS = {POOLED: "all eyes", "held_out": "held-out eyes only", "out_of_fold": "out-of-fold eyes only"}


def percent(share: float) -> str:
    """A share as a whole percentage, with one digit below 10 %."""
    if math.isnan(share):
        return "n/a"
    return f"{100 * share:.{1 if 0 < share < 0.0995 else 0}f}\N{NO-BREAK SPACE}%"


def disease_section(summary: pd.DataFrame, level: float, *, masks: bool) -> Section | None:
    """The map of each disease beside every control: a drawing, a table, and the same by part at a click."""
    if summary.empty:
        return None
    tables = []
    for (disease, part), group in summary.groupby(["disease", "part"], sort=True):
        tables.append(_disease_table(str(disease), str(part), group))
    tables.sort(key=lambda table: table.folded)
    score = "voxel AP" if masks else "depth hit"
    text = [
        f"Correctly classified eyes. In brackets and as lines: {100 * level:g} % intervals. The black mark is what "
        "chance gives.",
    ]
    return Section("Does the map find the lesion?", text, [_drawing(summary, score)], tables=tables)


def finding_section(findings: pd.DataFrame, level: float) -> Section | None:
    """What the network uses: the findings by how well its map marks them."""
    own = findings[findings["method"] == MAP] if len(findings) else findings
    if own.empty:
        return None
    own = own.sort_values(["disease", "voxel_ap"], ascending=[True, False])
    rows = [
        [str(row["disease"]), str(row["finding"]), str(row["eyes"]),
         _interval(row, ("voxel_ap", "voxel_ap_low", "voxel_ap_high")), _small(row["prevalence"]),
         f"{row['hits']} of {row['eyes']}", _number(row["mass_in_finding"])]
        for row in own.to_dict("records")
    ]  # fmt: skip
    columns = ("disease", "finding", "eyes", "voxel AP", "chance", "peak in it", "energy")
    text = ["Findings that the map marks well are those that the network uses; one near chance is hardly used, or "
            f"hardly shown by this method. In brackets: {100 * level:g} % intervals."]  # fmt: skip
    return Section("Which findings does it mark?", text, tables=[Table(columns, rows, names=2)])


def size_section(sizes: pd.DataFrame, level: float) -> Section | None:
    """Thirds of lesion volume within each disease, the map alone."""
    own = sizes[sizes["method"] == MAP] if len(sizes) else sizes
    if own.empty:
        return None
    rows = [
        [str(row["disease"]), str(row["size"]), f"{row['from_mm3']:.3f} to {row['to_mm3']:.3f}", str(row["eyes"]),
         _interval(row, ("rate", "low", "high")), _interval(row, ("voxel_ap", "voxel_ap_low", "voxel_ap_high")),
         _small(row["prevalence"])]
        for row in own.to_dict("records")
    ]  # fmt: skip
    columns = ("disease", "lesion", "mm\N{SUPERSCRIPT THREE}", "eyes", "peak in lesion", "voxel AP", "chance")
    text = [f"Thirds of the lesions of each disease by volume. In brackets: {100 * level:g} % intervals."]
    return Section("Does the size of the lesion matter?", text, tables=[Table(columns, rows, names=3)])


def slab_section(slabs: pd.DataFrame, level: float) -> Section:
    """In which slab of the retina the evidence lies."""
    title = "In which slab lies the evidence?"
    if slabs.empty:
        return Section(title, ["The surfaces of the retina are not known, so slabs are not known either."])
    panels: dict[str, dict[str, Dot]] = {}
    for row in slabs.to_dict("records"):
        dot = Dot(row["share"], row["share_low"], row["share_high"], row["voxels"], own=True)
        panels.setdefault(f"{row['disease']} ({row['eyes']} eyes)", {})[str(row["slab"])] = dot
    text = [
        "Mean share of the map's sum, of correctly classified eyes. The black mark is the slab's share of the voxels: "
        f"where it would lie if the map were even. Lines: {100 * level:g} % intervals. ILM: inner limiting membrane; "
        "IPL and OPL: lower edges of the inner and outer plexiform layer; BM: Bruch's membrane."
    ]
    return Section(title, text, [dot_chart(panels, "share of the evidence")])


def _disease_table(disease: str, part: str, group: pd.DataFrame) -> Table:
    rows, strong = [], set()
    for number, row in enumerate(group.to_dict("records")):
        own = row["method"] == MAP
        if own:
            strong.add(number)
        texts = [OWN if own else str(row["method"])]
        texts += [_interval(row, names) for names in INTERVALS.values()]
        rows.append([*texts, *(_number(row[name]) for name in MEANS.values())])
    first = group.iloc[0]
    note = (
        f"Chance: a voxel in the lesion {percent(first['prevalence'])} (also of voxel AP), in its slab "
        f"{percent(first['chance_slab_share'])}."
    )
    if first["empty_maps"]:
        note += f" {first['empty_maps']} further correctly classified eyes have an empty map and are not counted."
    title = f"{disease}, {PARTS.get(part, part)} ({first['eyes']})"
    columns = ("method", *INTERVALS, *MEANS)
    return Table(columns, rows, title, note, strong=frozenset(strong), folded=part != POOLED)


def _drawing(summary: pd.DataFrame, score: str) -> str:
    value, low, high = INTERVALS[score]
    chance = {"voxel AP": "prevalence", "depth hit": "chance_slab_share"}[score]
    panels: dict[str, dict[str, Dot]] = {}
    for disease, group in summary[summary["part"] == POOLED].groupby("disease", sort=True):
        rows = panels.setdefault(f"{disease} ({group['eyes'].max()} eyes)", {})
        for row in group.to_dict("records"):
            own = row["method"] == MAP
            dot = Dot(row[value], row[low], row[high], row[chance], own=own)
            rows[OWN if own else str(row["method"])] = dot
    return dot_chart(panels, score)


def _interval(row: Mapping[Hashable, Any], names: tuple[str, str, str]) -> str:
    return format_interval(*(row[name] for name in names))


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2f}"


def _small(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3f}"
