"""Which slabs carried the decisions on the eyes of a disease: as a table, in sentences, as text."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from octa_kedro.evaluation.proportions import wilson_interval
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.cohort import judged_eyes
from octa_kedro.explain.slab_decision import PLAYERS, slabs_within
from octa_kedro.explain.summary import Bootstrap

NOTHING = "no correctly classified held-out eye of the explained class has values of its slabs"


@dataclass(frozen=True)
class CarriedDisease:
    """The decisions on the eyes of one disease: a row per slab (slab, share, low, high, value), and a sentence on how
    often the lesion's slab has the highest value, or none where that slab is not made up of those with values."""

    model: str
    disease: str
    eyes: int
    slabs: pd.DataFrame
    sentence: str


def carried_diseases(
    table: pd.DataFrame,
    lesion_slabs: Mapping[str, str],
    threshold: float,
    draw: Bootstrap | None = None,
    *,
    target_class: int | str = 1,
) -> list[CarriedDisease]:
    """Of a table of `slab_decision.tabulate_slabs`, by disease over correctly classified eyes of the explained class:
    each slab's mean value in logit and mean share of what speaks for the class.

    Intervals are bootstrapped over patients by `draw`, that of the count is Wilson's. `lesion_slabs` says in which slab
    a disease's lesions lie.
    """
    draw = draw or Bootstrap()
    found = []
    for (model, disease), rows in judged_eyes(table, target_class, threshold).groupby(["model", "disease"], sort=True):
        by_slab = {slab: rows[rows["slab"] == slab] for slab in PLAYERS}
        slabs = [
            {"slab": slab, **dict(zip(("share", "low", "high"), draw.mean(own["share"], own), strict=True)),
             "value": own["value"].mean()}
            for slab, own in by_slab.items()
        ]  # fmt: skip
        sentence = _carried(rows, lesion_slabs.get(str(disease), ""), draw.level)
        eyes = rows["subject"].nunique()
        found.append(CarriedDisease(str(model), str(disease), eyes, pd.DataFrame(slabs), sentence))
    return found


def format_slabs(found: list[CarriedDisease]) -> str:
    """`carried_diseases` as text, a block for each."""
    blocks = []
    for one in found:
        lines = [f"{one.model}, {one.disease}, {one.eyes} held-out eyes"]
        for row in one.slabs.to_dict("records"):
            share = format_interval(row["share"], row["low"], row["high"])
            lines.append(f"  {row['slab']:<9} share {share:<20} mean value {row['value']:+.2f} logit")
        blocks.append("\n".join([*lines, *([f"  {one.sentence}"] if one.sentence else [])]))
    return "\n\n".join(blocks) if blocks else NOTHING


def _carried(rows: pd.DataFrame, lesion_slab: str, level: float) -> str:
    inside = slabs_within(lesion_slab) if lesion_slab else ()
    if not inside:
        return ""
    first = rows.loc[rows.groupby("subject")["value"].idxmax(), "slab"]
    hits, n = int(first.isin(inside).sum()), len(first)
    low, high = wilson_interval(hits, n, level)
    return (
        f"The lesion's slab ({' and '.join(inside)}) has the highest value in {hits} of {n} eyes "
        f"[{low:.2f}, {high:.2f}]; by chance it would in {len(inside) / len(PLAYERS):.2f}."
    )
