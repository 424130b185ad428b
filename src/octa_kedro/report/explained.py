"""What the explanation of a model found, in short, for the report of the whole evaluation."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.summary import POOLED
from octa_kedro.report.page import ReportPage
from octa_kedro.report.score_tables import INTERVALS
from octa_kedro.report.sections import Link, Picture, Section, Table

TITLE = "Where the networks look"
MOST = 6
"""Pictures of a model that the report shows."""
NONE = "Maps were not made, or not of these networks: run the pipelines explainability and reporting for them."


def explanation_digest(page: ReportPage, summary: pd.DataFrame, level: float) -> dict[str, Any]:
    """The conclusions of a page of explanations, the scores of the network's own map, and the pictures of a few eyes,
    as plain data; `summary` as of `summarise_hits`. Files are named from the folder of all reports, which is that of
    the figures' versions, so that it can be moved."""
    own = summary[(summary["method"] == MAP) & (summary["part"] == POOLED)] if len(summary) else summary
    rows = [
        [str(row["disease"]), f"{row['eyes']} eyes",
         *(format_interval(*(row[name] for name in names)) for names in INTERVALS.values())]
        for row in own.to_dict("records")
    ]  # fmt: skip
    columns = ["disease", "eyes", *(f"{name} [{100 * level:g} %]" for name in INTERVALS)]
    pictures = [one for section in page.sections if section.title != CHECKS for one in section.pictures]
    shown = [
        {"file": Path(os.path.relpath(one.file, one.file.parents[3])).as_posix(), "caption": one.caption}
        for one in pictures[:MOST]
        if one.file.exists()
    ]
    return {
        "conclusions": [words for group in page.conclusions for words in group.sentences],
        "caution": page.caution,
        "columns": columns,
        "rows": rows,
        "pictures": shown,
    }


CHECKS = "What are the maps worth?"


def explained_section(explanations: Mapping[str, tuple[Mapping[str, Any], Path]]) -> Section:
    """The digests of all models that have one, with links to their pages."""
    if not explanations:
        return Section(TITLE, [NONE])
    text, tables, pictures, links = [], [], [], []
    for model, (digest, page) in explanations.items():
        name = readable_model(model)
        text += [f"{name}: {words}" for words in [*filter(None, [digest["caution"]]), *digest["conclusions"]]]
        if digest["rows"]:
            tables.append(Table(digest["columns"], digest["rows"], f"{name}: its map", names=2))
        root = page.parents[2]
        pictures += [Picture(root / one["file"], f"{name}. {one['caption']}") for one in digest["pictures"]]
        links.append(Link(f"All scores, controls and checks of the {name}", page))
    tables.append(Table(("more",), [[[link]] for link in links]))
    return Section(TITLE, text, pictures=pictures, tables=tables)


def explained_words(models: Sequence[str]) -> str:
    """Which models have maps."""
    if not models:
        return "Maps were not made of these networks"
    return f"Maps of {', '.join(map(readable_model, models))}, scored against lesions where there are masks"
