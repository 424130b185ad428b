"""Any table of values with intervals, as a table of a page."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.report.sections import Table
from octa_kedro.report.words import metric_words, part_words

WORDS = {"model": readable_model, "part": part_words, "metric": metric_words}
"""How cells of columns of this name are shown."""


def plain_table(table: pd.DataFrame) -> Table:
    """Columns x, x_low and x_high, or value, low and high, become one cell; the other columns stay, in their order."""
    bounds = {name: _bounds(str(name), table) for name in table.columns}
    taken = {bound for pair in bounds.values() if pair for bound in pair}
    shown = [name for name in table.columns if name not in taken]
    lines = [[_cell(row, name, bounds[name]) for name in shown] for row in table.to_dict("records")]
    texts = [n for n, name in enumerate(shown) if not pd.api.types.is_numeric_dtype(table[name])]
    names = next((n for n, place in enumerate([*texts, -1]) if n != place), 1)
    return Table([str(name).replace("_", " ") for name in shown], lines, names=names)


def _bounds(name: str, table: pd.DataFrame) -> tuple[str, str] | None:
    pair = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
    return pair if set(pair) <= set(table.columns) else None


def _cell(row: Mapping[Hashable, Any], name: str, bounds: tuple[str, str] | None) -> str:
    value = row[name]
    if bounds is not None:
        return format_interval(value, row[bounds[0]], row[bounds[1]])
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:g}" if value.is_integer() else f"{value:.3g}"
    return WORDS.get(str(name), str)(str(value))
