"""How the second cohort differs from the first: case mix, scans, quality and grey levels."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp, norm, wasserstein_distance

from octa_kedro.evaluation.groups import SIDES
from octa_kedro.preprocessing.appearance import GREY, LOOKS, NATIVE
from octa_kedro.preprocessing.quality import MEASURES
from octa_kedro.results.stored import Stored

CASE_MIX, SCAN, QUALITY, GREY_LEVELS = "case mix", "scan", "quality", "grey levels"
COLUMNS = (
    *("what", "variable", "development", "second", "development_sd", "second_sd", "standardised_difference"),
    *("standardised_difference_low", "standardised_difference_high", "ks", "wasserstein"),
    *("n_development", "n_second", "reason"),
)
NO_SPREAD = "neither cohort varies in it, but they differ"
WORDS = {"label": "class", "disease": "disease", "field_of_view_mm": "field of view", "sex": "sex"}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Variable:
    """What is compared: values of the eyes of both cohorts, NaN where not known; of a `share` these are 0 and 1."""

    what: str
    name: str
    development: Values
    second: Values
    share: bool = False


@dataclass(frozen=True)
class Eyes:
    """A cohort: its splits, its quality table, and its stored volumes and en-face maps."""

    splits: pd.DataFrame
    quality: pd.DataFrame
    images: Mapping[str, Stored]
    maps: Mapping[str, Stored]


def shift_table(variables: list[Variable], level: float) -> pd.DataFrame:
    """Return one row per variable, with the columns `COLUMNS`.

    development and second are means (of a share: shares) of the eyes that are known, with standard deviations (sd).
    standardised_difference is the second less the first over the root of the mean variance (of a share p: p (1 - p)),
    Austin 2009, doi 10.1080/03610910902859574, with its interval by the normal approximation of Hedges and Olkin 1985
    (Statistical Methods for Meta-Analysis, chapter 5). ks is the Kolmogorov-Smirnov statistic and wasserstein the
    distance of the two distributions in the variable's own unit, both of numbers alone. reason says why one is NaN.
    """
    return pd.DataFrame([_row(one, level) for one in variables], columns=list(COLUMNS))


def _row(one: Variable, level: float) -> dict[str, Any]:
    first, second = (values[np.isfinite(values)] for values in (one.development, one.second))
    found: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan) | {"what": one.what, "variable": one.name, "reason": ""}
    found |= {"n_development": len(first), "n_second": len(second)}
    for name, values in (("development", first), ("second", second)):
        if len(values):
            found |= {name: float(values.mean()), f"{name}_sd": _deviation(values, share=one.share)}
    if not len(first) or not len(second):
        where = " and ".join(name for name, v in (("development", first), ("second", second)) if not len(v))
        return found | {"reason": f"not known of any eye of the {where} cohort"}
    value, error = standardised_difference(first, second, share=one.share)
    reach = float(norm.ppf((1 + level) / 2)) * error
    found |= {
        "standardised_difference": value,
        "standardised_difference_low": value - reach,
        "standardised_difference_high": value + reach,
        "reason": NO_SPREAD if math.isnan(value) else "",
    }
    if not one.share:
        found |= {"ks": ks_statistic(first, second), "wasserstein": float(wasserstein_distance(first, second))}
    return found


def standardised_difference(first: Values, second: Values, *, share: bool = False) -> tuple[float, float]:
    """The standardised difference of `second` (M,) and `first` (N,) and its standard error; see `shift_table`.

    0 where both are one and the same constant, NaN where they are two."""
    n, m = len(first), len(second)
    difference = float(second.mean() - first.mean())
    spread = math.sqrt((_deviation(first, share=share) ** 2 + _deviation(second, share=share) ** 2) / 2)
    scale = max(abs(float(first.mean())), abs(float(second.mean())), 1e-300)
    constant = 0.0 if abs(difference) <= 1e-9 * scale else math.nan
    value = constant if spread <= 1e-9 * scale else difference / spread
    return value, math.sqrt(1 / n + 1 / m + value**2 / (2 * (n + m)))


def ks_statistic(first: Values, second: Values) -> float:
    """The largest distance of the two empirical distributions (Kolmogorov-Smirnov)."""
    return float(ks_2samp(first, second, method="asymp").statistic)


def _deviation(values: Values, *, share: bool) -> float:
    if share:
        p = float(values.mean())
        return math.sqrt(p * (1 - p))
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return 0.0 if spread <= 1e-12 * float(np.abs(values).max()) else spread  # equal numbers, but for their last digits


def compared_variables(development: Eyes, second: Eyes) -> list[Variable]:
    """Everything that is known of the eyes of either cohort, in the order in which tables show it."""
    return [*_case_mix(development, second), *_measured(development, second)]


def _case_mix(first: Eyes, second: Eyes) -> Iterator[Variable]:
    for column, name in WORDS.items():
        yield from _shares(_words(first.splits, column), _words(second.splits, column), name)
    sides = [_words(one.splits, "laterality" if "laterality" in one.splits else "eye") for one in (first, second)]
    one, other = (side.map(lambda word: SIDES.get(word, word), na_action="ignore") for side in sides)
    yield from _shares(one, other, "side")
    ages = [_numbers(eyes.splits, eyes.splits, "age") for eyes in (first, second)]
    yield Variable(CASE_MIX, "age, years", ages[0], ages[1])


def _measured(first: Eyes, second: Eyes) -> Iterator[Variable]:
    facts = [[one.images[name].meta for name in _subjects(one)] for one in (first, second)]
    for name in sorted({key for eyes in facts for one in eyes for key in one.get(NATIVE, {})}):
        yield Variable(SCAN, _title(name), _column(facts[0], NATIVE, name), _column(facts[1], NATIVE, name))
    for name in MEASURES:  # of all scans: those that were left out for it are what tells most
        values = (_numbers(one.quality, one.quality, name) for one in (first, second))
        yield Variable(QUALITY, _title(name), next(values), next(values))
    maps = [[one.maps[name].meta if name in one.maps else {} for name in _subjects(one)] for one in (first, second)]
    for kinds, where in ((facts, "volume"), (maps, "")):
        curves = sorted({key for eyes in kinds for one in eyes for key in one.get(LOOKS, {}) if key.startswith(GREY)})
        for curve in curves:
            named = f"{where}{curve.removeprefix(GREY).removeprefix(' of ')}"
            for words, of in (("mean grey level", np.mean), ("97.5th percentile of grey levels", np.max)):
                values = (_levels(eyes, curve, of) for eyes in kinds)
                yield Variable(GREY_LEVELS, f"{named}, {words}", next(values), next(values))


def _shares(first: pd.Series, second: pd.Series, name: str) -> Iterator[Variable]:
    """A variable for each word; of two words the second is what the first is not."""
    words = sorted({*first.dropna(), *second.dropna()})
    for word in words[1:] if len(words) == 2 else words:
        known = [np.where(one.notna(), (one == word).astype(float), math.nan) for one in (first, second)]
        yield Variable(CASE_MIX, f"{name} {word}", known[0], known[1], share=True)


def _words(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series(np.nan, index=table.index, dtype=object)
    if column == "field_of_view_mm":
        return table[column].map(lambda mm: f"{float(mm):g} mm", na_action="ignore").astype(object)
    texts = table[column].astype(object)
    return texts.where(texts.notna() & (texts.astype(str).str.strip() != ""), np.nan)


def _numbers(splits: pd.DataFrame, table: pd.DataFrame, column: str) -> Values:
    """The column of the eyes of the splits, NaN where `table` does not know it."""
    subjects = splits["subject"].astype(str).drop_duplicates()
    if column not in table:
        return np.full(len(subjects), math.nan)
    rows = table.assign(subject=table["subject"].astype(str)).drop_duplicates("subject").set_index("subject")
    return pd.to_numeric(rows[column].reindex(subjects), errors="coerce").to_numpy(dtype=float)


def _column(facts: list[Mapping[str, Any]], kind: str, name: str) -> Values:
    return np.array([float(one.get(kind, {}).get(name, math.nan)) for one in facts])


def _levels(facts: list[Mapping[str, Any]], curve: str, of: Callable[[Any], Any]) -> Values:
    """The mean or the highest of the grey levels' quantiles of each eye."""
    return np.array([float(of(one[LOOKS][curve])) if curve in one.get(LOOKS, {}) else math.nan for one in facts])


def _subjects(eyes: Eyes) -> list[str]:
    return eyes.splits["subject"].astype(str).tolist()


def _title(name: str) -> str:
    """signal_db -> signal, dB."""
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')}, {unit}"
    return name.replace("_", " ")


UNITS = {
    "_um_per_mm2": "\N{MICRO SIGN}m/mm\N{SUPERSCRIPT TWO}",
    "_deg": "degrees",
    "_db": "dB",
    "_um": "\N{MICRO SIGN}m",
    "_mm": "mm",
    "_grey": "grey levels",
}
