"""The subjects of the cohort: a table in which no other column depends on the disease."""

import zlib

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from octa_kedro.phantom.config import FIELD_MM, FIRST_ID, PhantomConfig

COLUMNS = ("ID", "Sex", "OS/OD", "Age", "Disease", "fov_mm", "drawn", "severity", "quality")


def plan_cohort(config: PhantomConfig) -> pd.DataFrame:
    """Subject table with the columns `COLUMNS`, ordered by ID.

    `drawn` is the disease that is rendered, `Disease` what the label sheet says; they differ only where labels
    are random. `severity` is in [0, 1], 0 for NORMAL; `quality` is "good" or the fault of the scan. Sex,
    side, age and quality have the same distribution in every disease unless the configuration says otherwise, and so
    has the field of view. Each column has its own random numbers: a setting for one does not change the others.
    """
    # sorted, since the order of diseases in the configuration must not matter
    drawn = [disease for disease in sorted(config.subjects) for _ in range(config.count(disease))]
    table = pd.DataFrame({"drawn": drawn})
    wide = _spread(_rng(config, "field of view"), [config.share_of_6mm(disease) for disease in drawn])
    table["fov_mm"] = np.where(wide, FIELD_MM["6mm"], FIELD_MM["3mm"])
    table = table.sort_values(["drawn", "fov_mm"], ignore_index=True)
    _add_people(table, config)
    _add_scans(table, config)
    table = table.iloc[_rng(config, "order").permutation(len(table))].reset_index(drop=True)
    for name, first in FIRST_ID.items():
        chosen = table["fov_mm"] == FIELD_MM[name]
        table.loc[chosen, "ID"] = first + np.arange(int(chosen.sum()))
    table["ID"] = table["ID"].astype(int)
    table = table.sort_values("ID", ignore_index=True)
    words = table["drawn"].to_numpy()
    table["Disease"] = _rng(config, "labels").permutation(words) if config.labels == "random" else words
    return table[list(COLUMNS)]


def _add_people(table: pd.DataFrame, config: PhantomConfig) -> None:
    """Sex, side, age and severity of eyes that are ordered by disease and field of view."""
    groups = table["drawn"] + table["fov_mm"].astype(str)
    for column, words, share in (("Sex", ("F", "M"), config.female_share), ("OS/OD", ("OD", "OS"), 0.5)):
        rng = _rng(config, column)
        first = _shuffled_within(rng, _spread(rng, np.full(len(table), share)), groups)
        table[column] = np.where(first, *words)
    ages, stages = _rng(config, "Age"), _rng(config, "severity")
    table["Age"], table["severity"] = 0, 0.0
    for disease in sorted(config.subjects):
        chosen = table["drawn"] == disease
        count = int(chosen.sum())
        table.loc[chosen, "Age"] = np.floor(_stratified(ages, config.age_range(disease), count)).astype(int)
        if disease != "NORMAL":
            table.loc[chosen, "severity"] = _stratified(stages, config.severity, count)


def _add_scans(table: pd.DataFrame, config: PhantomConfig) -> None:
    """Quality of the scans of eyes that are ordered by disease and field of view."""
    rng = _rng(config, "quality")
    groups = table["drawn"] + table["fov_mm"].astype(str)
    poor = _shuffled_within(rng, _spread(rng, np.full(len(table), config.poor_share)), groups)
    kinds = rng.permutation(np.asarray(config.poor_kinds or ("good",), object))
    table["quality"] = np.where(poor, kinds[np.cumsum(poor) % len(kinds)], "good")


def _rng(config: PhantomConfig, part: str) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([config.seed, zlib.crc32(part.encode())]))


def _spread(rng: np.random.Generator, shares: ArrayLike) -> NDArray[np.bool_]:
    """Systematic sample: of any consecutive rows, the number chosen is the sum of their shares, rounded up or down."""
    total = np.concatenate([[0.0], np.cumsum(shares)]) + rng.random()
    return np.diff(np.floor(total)) > 0


def _shuffled_within(rng: np.random.Generator, values: NDArray, groups: ArrayLike) -> NDArray:
    """`values` in random order inside each group of rows."""
    mixed = values.copy()
    names = np.asarray(groups)
    for name in dict.fromkeys(names):
        mixed[names == name] = rng.permutation(values[names == name])
    return mixed


def _stratified(rng: np.random.Generator, span: tuple[float, float], count: int) -> NDArray[np.float64]:
    """`count` uniform draws from `span`, one from each of `count` equal parts of it, in random order."""
    return span[0] + (span[1] - span[0]) * (rng.permutation(count) + rng.random(count)) / count
