"""Dealing whole groups (patients) into parts so that every stratum is shared out as evenly as they allow."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DEALS = 20  # of which the most even one is kept


def deal_groups(strata: pd.Series, groups: pd.Series, shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """The part (from 0) of each row; the rows of one group get the same one.

    Groups are dealt one after the other, large ones first and otherwise in seeded order, each into the part
    where it brings the counts of its strata nearest to `shares` of the whole (squared distance, relative to
    the count aimed at).
    """
    stratum = pd.factorize(strata, sort=True)[0]
    group, names = pd.factorize(groups, sort=True)
    counts = np.zeros((len(names), stratum.max() + 1))
    np.add.at(counts, (group, stratum), 1)
    aims = np.outer(shares, counts.sum(axis=0))  # (parts, strata)
    rng = np.random.default_rng(seed)
    deals = [_deal(counts, aims, rng) for _ in range(DEALS)]
    _, part_of = min(deals, key=lambda deal: deal[0])
    return part_of[group]


def _deal(
    counts: NDArray[np.float64], aims: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, NDArray[np.int64]]:
    """One deal of all groups: how uneven it is, and the part of each group."""
    held = np.zeros_like(aims)
    part_of = np.zeros(len(counts), int)
    shuffled = rng.permutation(len(counts))
    for index in shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]:
        added = counts[index]
        cost = (((held + added - aims) ** 2 - (held - aims) ** 2) / aims).sum(axis=1)
        # Where parts are equally good for the strata, the one that lacks most eyes.
        lack = held.sum(axis=1) / aims.sum(axis=1)
        part = int(np.lexsort((lack, cost.round(9)))[0])
        held[part] += added
        part_of[index] = part
    return round(float(((held - aims) ** 2 / aims).sum()), 9), part_of
