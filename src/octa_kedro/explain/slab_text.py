"""Which slabs carried the decisions on the eyes of a disease, as text."""

from collections.abc import Mapping

import pandas as pd

from octa_kedro.evaluation.intervals import wilson_interval
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.cohort import judged_eyes
from octa_kedro.explain.slab_decision import PLAYERS, slabs_within
from octa_kedro.explain.summary import Bootstrap

NOTHING = "no correctly classified held-out eye of the explained class has values of its slabs"


def format_slabs(
    table: pd.DataFrame,
    lesion_slabs: Mapping[str, str],
    threshold: float,
    draw: Bootstrap | None = None,
    *,
    target_class: int | str = 1,
) -> str:
    """Of a table of `slab_decision.tabulate_slabs`, by disease over correctly classified eyes of the explained class:
    each slab's mean share of what speaks for the class, and in how many eyes the lesion's slab has most of it.

    Intervals are bootstrapped over patients by `draw`, that of the count is Wilson's. `lesion_slabs` says in which slab
    a disease's lesions lie.
    """
    draw = draw or Bootstrap()
    eyes = judged_eyes(table, target_class, threshold)
    blocks = []
    for (model, disease), rows in eyes.groupby(["model", "disease"], sort=True):
        lines = [f"{model}, {disease}, {rows['subject'].nunique()} held-out eyes"]
        for slab in PLAYERS:
            own = rows[rows["slab"] == slab]
            share = format_interval(*draw.mean(own["share"], own))
            lines.append(f"  {slab:<9} share {share:<20} mean value {own['value'].mean():+.2f} logit")
        lines += _carried(rows, lesion_slabs.get(str(disease), ""), draw.level)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) if blocks else NOTHING


def _carried(rows: pd.DataFrame, lesion_slab: str, level: float) -> list[str]:
    """How often the lesion's slab carries the decision; nothing, where that slab is not made up of the players."""
    inside = slabs_within(lesion_slab) if lesion_slab else ()
    if not inside:
        return []
    first = rows.loc[rows.groupby("subject")["value"].idxmax(), "slab"]
    hits, n = int(first.isin(inside).sum()), len(first)
    low, high = wilson_interval(hits, n, level)
    return [
        f"  The lesion's slab ({' and '.join(inside)}) has the highest value in {hits} of {n} eyes "
        f"[{low:.2f}, {high:.2f}]; by chance it would in {len(inside) / len(PLAYERS):.2f}."
    ]
