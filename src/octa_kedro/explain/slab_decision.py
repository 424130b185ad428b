"""Which slabs of the retina carried a decision, by their Shapley values: of one eye, in a sentence, and of many."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.explain.profile import EDGES, SLAB_NAMES
from octa_kedro.explain.target import EXPLAINED, EXPLAINED_CLASS
from octa_kedro.preprocessing.slab_names import find_slab
from octa_kedro.results.stored import Stored

PLAYERS = SLAB_NAMES[1:]
"""The slabs of `profile.SLAB_NAMES` that have values: all but what lies above the ILM."""
TABLE_COLUMNS = (
    "model", "subject", "part", "disease", "target", "probability", EXPLAINED, EXPLAINED_CLASS, "slab", "value",
    "lowest", "highest", "share",
)  # fmt: skip
CARRIES = 0.25
"""A slab with less of what speaks for the class is not said to have carried a decision, unless it has the most."""
WORTH_SAYING = 0.05


@dataclass(frozen=True)
class SlabDecision:
    """What each of PLAYERS added to the margin of the explained class, compared with healthy eyes, in logit (`value`),
    and whether the network decided for the class; `word` is that class's."""

    value: NDArray[np.float64]
    decided: bool
    word: str

    @property
    def share(self) -> NDArray[np.float64]:
        """Values as shares of all that speaks for the class; NaN where nothing does."""
        return shares(self.value)

    @property
    def sentence(self) -> str:
        """The decision in words."""
        together = f"All slabs together: {self.value.sum():+.1f} logit compared with healthy eyes."
        if not (self.value > 0).any():
            return f"No slab spoke for {self.word}. {together}"
        order = np.argsort(-self.value)
        carriers = [k for rank, k in enumerate(order) if rank == 0 or self.share[k] >= CARRIES]
        named = _listed(
            f"{PLAYERS[k]} ({self.value[k]:+.1f} logit, {100 * self.share[k]:.0f} % of what spoke for {self.word})"
            for k in carriers
        )
        against = _listed(f"{PLAYERS[k]} ({self.value[k]:+.1f})" for k in order[::-1] if self.share[k] <= -WORTH_SAYING)
        against = f"; {against} spoke against it" if against else ""
        if self.decided:
            return f"The decision was carried by {named}{against}. {together}"
        return f"The network decided against {self.word}. {named} spoke for it{against}. {together}"


def _listed(parts: Iterable[str]) -> str:
    *first, last = list(parts) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def shares(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values ``(..., slab)`` as shares of the sum of the positive ones, NaN where there is none."""
    total = np.maximum(value, 0).sum(axis=-1, keepdims=True)
    return np.divide(value, total, out=np.full_like(value, np.nan), where=total > 0)


def tabulate_slabs(values: Mapping[str, Stored], predictions: pd.DataFrame) -> pd.DataFrame:
    """A row per eye and slab: TABLE_COLUMNS (and patient, where predictions have it).

    `values` are those of `making.slab_parts`, `predictions` those of one model. `explained` and `explained_class` are
    index and name of the class that values speak for. `value` is the mean over the networks,
    `lowest` and `highest` the ends of their range, all in logit.
    """
    rows: list[dict[str, Any]] = []
    kept = [name for name in (*TABLE_COLUMNS, "patient") if name in predictions]
    for eye in predictions.to_dict("records"):
        if str(eye["subject"]) not in values:
            continue
        stored = values[str(eye["subject"])]
        of_networks = np.asarray(stored().array, np.float64)[:, 0]
        facts = {name: stored.meta[name] for name in (EXPLAINED, EXPLAINED_CLASS)}
        mean = of_networks.mean(axis=0)
        for k, (slab, share) in enumerate(zip(PLAYERS, shares(mean), strict=True)):
            ends = {"lowest": of_networks[:, k].min(), "highest": of_networks[:, k].max()}
            values_of_slab = {"slab": slab, "value": mean[k], "share": share} | ends
            rows.append({name: eye[name] for name in kept} | facts | values_of_slab)
    columns = [*TABLE_COLUMNS, *(["patient"] if "patient" in kept else [])]
    return pd.DataFrame(rows, columns=columns)


def decisions(table: pd.DataFrame, threshold: float) -> dict[str, SlabDecision]:
    """The decision on each eye of a table of `tabulate_slabs`; an eye counts as diseased from `threshold` on."""
    found = {}
    for subject, rows in table.groupby("subject", sort=False):
        value = rows.set_index("slab")["value"].reindex(PLAYERS).to_numpy(np.float64)
        diseased = float(rows["probability"].iloc[0]) >= threshold
        explained, word = rows[EXPLAINED].iloc[0], str(rows[EXPLAINED_CLASS].iloc[0])
        found[str(subject)] = SlabDecision(value, diseased == (explained > 0), word)
    return found


def slabs_within(name: str) -> tuple[str, ...]:
    """Those of PLAYERS that make up the slab called `name`; none, if it ends elsewhere than they do."""
    slab = find_slab(name)
    if slab.upper not in EDGES or slab.lower not in EDGES or slab.upper_um or slab.lower_um:
        return ()
    return PLAYERS[EDGES.index(slab.upper) : EDGES.index(slab.lower)]
