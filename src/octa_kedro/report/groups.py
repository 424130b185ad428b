"""What a result depends on: groups of eyes, and the chance of eyes, folds and seeds, as sections."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import is_floor, readable_model
from octa_kedro.evaluation.subgroups import SMALL
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.variation import COMPONENTS, TRAINING
from octa_kedro.report.sections import Section, Table
from octa_kedro.report.words import are_floors, metric_words, part_words, two_digits

Row = Mapping[Hashable, Any]


def subgroup_section(table: pd.DataFrame) -> Section:
    """The networks' metrics within groups of eyes (a table of `subgroups.subgroup_table`): of each network and part a
    table, of which the first is not folded."""
    own = table[~are_floors(table["model"])]
    tables = [
        _of_groups(rows, f"{readable_model(str(model))}, {part_words(str(part)).lower()}", folded=number > 0)
        for number, ((model, part), rows) in enumerate(own.groupby(["model", "part"], sort=False))
    ]
    text = [
        "A disease is judged beside all healthy eyes. Groups overlap and are many: of twenty differences one exceeds "
        "its 95 % interval by chance."
    ]
    return Section("Subgroups", text, tables=tables)


def _of_groups(rows: pd.DataFrame, title: str, *, folded: bool) -> Table:
    metrics = [*dict.fromkeys(rows["metric"])]
    lines = []
    for (group, level), own in rows.groupby(["group", "level"], sort=False):
        cells: dict[Hashable, Row] = {row["metric"]: row for row in own.to_dict("records")}
        first = next(iter(cells.values()))
        name = str(group) if group == level else f"{group}: {level}"
        eyes = f"{first['n_eyes']} ({first['n_positive']} positive)"
        lines.append([name, eyes, *(_cell(cells.get(metric)) for metric in metrics)])
    note = f"* Fewer than {SMALL} patients of a class: too few to compare groups by." if rows["small"].any() else ""
    columns = ("group", "eyes", *map(metric_words, metrics))
    return Table(columns, lines, title, note, names=2, folded=folded)


def _cell(row: Row | None) -> str:
    return "-" if row is None else format_interval(row["value"], row["low"], row["high"]) + " *" * bool(row["small"])


def variation_section(table: pd.DataFrame) -> Section:
    """What single trainings reach, and the standard deviations by what is chance (`variation`)."""
    lines, notes = [], dict[str, None]()
    for (part, metric, model), own in table.groupby(["part", "metric", "model"], sort=False):
        if is_floor(str(model)):
            continue
        values = own.loc[own["what"] == TRAINING, "value"]
        found = {row["what"]: row for row in own.to_dict("records")}
        span = f"{len(values)}: {two_digits(values.median())} [{two_digits(values.min())}, {two_digits(values.max())}]"
        deviations = [f"{found[name]['value']:.3f}".replace("nan", "n/a") for name in COMPONENTS]
        lines.append([part_words(str(part)), metric_words(str(metric)), readable_model(str(model)), span, *deviations])
        notes |= dict.fromkeys(f"By {name}: {found[name]['reason']}." for name in COMPONENTS if found[name]["reason"])
    columns = (
        *("part", "metric", "model", "single trainings: median [lowest, highest]"),
        *(f"SD by {name}" for name in COMPONENTS),
    )
    text = [
        "How much a value changes by chance, as standard deviations: with other eyes that judge, with another division "
        "into folds, with another seed of the training. The intervals above hold the chance of the eyes alone."
    ]
    return Section("What a result depends on", text, tables=[Table(columns, lines, note="\n".join(notes), names=3)])
