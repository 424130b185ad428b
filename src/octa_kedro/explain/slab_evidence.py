"""In which slab of the retina the maps of many eyes have their evidence: all that can be told without lesion masks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.explain.profile import SLAB_NAMES, evidence_by_slab
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.summary import Bootstrap, explained_rightly
from octa_kedro.results.stored import Stored

SLAB_COLUMNS = ("disease", "slab", "eyes", "share", "share_low", "share_high", "voxels")


def slab_evidence(
    scores: pd.DataFrame,
    maps: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    bootstrap: Bootstrap | None = None,
    *,
    target_class: int | str = 1,
) -> pd.DataFrame:
    """Per disease and slab: mean `share` of the map's sum with an interval over patients, and `voxels`, the slab's mean
    share of the voxels, which `share` would equal if maps were even. Columns: SLAB_COLUMNS.

    Over correctly classified eyes of the class (`scores` of `cohort.score_maps`), read one at a time. An eye without
    surfaces and an empty map count nowhere; a slab that no eye has both surfaces of has no row.
    """
    draw = bootstrap or Bootstrap()
    chosen = scores[scores["method"] == MAP]
    if len(chosen):
        chosen = chosen[explained_rightly(chosen, target_class)]
    rows: list[dict[str, Any]] = []
    for disease, eyes in chosen.groupby("disease", sort=True):
        kept = eyes[[str(subject) in maps and str(subject) in surfaces for subject in eyes["subject"]]]
        found = [evidence_by_slab(maps[subject](), surfaces[subject]()) for subject in kept["subject"].astype(str)]
        if not found:
            continue
        shares, voxels = np.stack([one.share for one in found]), np.stack([one.volume for one in found])
        for k, slab in enumerate(SLAB_NAMES):
            known = ~np.isnan(shares[:, k])
            if known.any():
                share, low, high = draw.mean(pd.Series(shares[known, k], kept.index[known]), kept[known])
                rows.append(
                    {"disease": disease, "slab": slab, "eyes": int(known.sum()), "share": share, "share_low": low,
                     "share_high": high, "voxels": float(voxels[known, k].mean())}
                )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SLAB_COLUMNS))
