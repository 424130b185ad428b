"""Single eyes on a page: the best, the median and the worst of each disease, and a list of all."""

import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.explain.summary import explained_rightly
from octa_kedro.explain.titles import short_probability
from octa_kedro.report.sections import Cell, Link, Picture, Section, Table

PARTS = {"held_out": "held out", "out_of_fold": "out of fold"}
RANKS = {3: ("best", "median", "worst"), 2: ("better", "worse"), 1: ("the only one",)}


def eye_sections(own: pd.DataFrame, figures: Path, viewer: Path, *, target_class: int | str) -> list[Section]:
    """Pictures of single eyes, and the list of all; `own` has a row per eye, the scores of the network's own map.

    Eyes are ranked by voxel AP, where a disease has no masks by the strength of their peak. Only correctly classified
    eyes of the class are shown, and only those with a figure (held-out eyes have one).
    """
    if own.empty:
        return []
    right = own[explained_rightly(own, target_class)]
    pictured = right[right["subject"].map(lambda subject: (figures / f"{subject}.png").is_file()).astype(bool)]
    pictures = []
    for _, eyes in pictured.groupby("disease", sort=True):
        score, words = ("voxel_ap", "voxel AP") if _known(eyes, "voxel_ap") else ("peak_value", "strongest evidence")
        pictures += [
            _picture(row, f"{rank} by {words} ({row[score]:.2g})", figures, viewer)
            for rank, row in _chosen(eyes, score)
        ]
    shown = Section(
        "Single eyes",
        ["Correctly classified held-out eyes: of each disease the one with the highest, the median and the lowest "
         "score. Eyes of one model share one colour scale. A click opens the figure."],
        pictures=pictures,
    )  # fmt: skip
    return [*([shown] if pictures else []), Section("All eyes", tables=[_all_eyes(own, figures, viewer)])]


def _known(eyes: pd.DataFrame, name: str) -> bool:
    return name in eyes and bool(eyes[name].notna().any())


def _chosen(eyes: pd.DataFrame, score: str) -> list[tuple[str, dict[Hashable, Any]]]:
    """Highest, median and lowest; of fewer eyes each once."""
    ranked = eyes[eyes[score].notna()].sort_values([score, "subject"], ascending=[False, True]).to_dict("records")
    last = len(ranked) - 1
    places = sorted({0, math.ceil(last / 2), last}) if ranked else []
    return list(zip(RANKS[len(places)], [ranked[k] for k in places], strict=True)) if places else []


def _links(subject: str, figures: Path, viewer: Path) -> list[Link]:
    return [
        Link("figure", figures / f"{subject}.png"),
        Link("B-scans, animated", figures / f"{subject}.gif"),
        Link("viewer", viewer, f"eye={subject}"),
    ]


def _picture(row: Mapping[Hashable, Any], rank: str, figures: Path, viewer: Path) -> Picture:
    subject = str(row["subject"])
    probability = f"p(disease) = {short_probability(float(row['probability']))}".replace(" ", "\N{NO-BREAK SPACE}")
    caption = f"{row['disease']}, eye {subject}: {rank}, {probability}"
    return Picture(figures / f"{subject}.png", caption, _links(subject, figures, viewer))


def _all_eyes(own: pd.DataFrame, figures: Path, viewer: Path) -> Table:
    rows: list[list[Cell]] = []
    for row in own.sort_values(["disease", "subject"]).to_dict("records"):
        below = 1000 * float(row.get("peak_below_ilm_mm", math.nan))
        rows.append(
            [
                str(row["subject"]),
                str(row["disease"]),
                PARTS.get(str(row["part"]), str(row["part"])),
                "correct" if row["correct"] else "wrong",
                short_probability(float(row["probability"])),
                _number(below, "{:.0f}"),
                {True: "yes", False: "no", None: _number(math.nan, "")}[_answer(row.get("peak_in_lesion"))],
                _number(float(row.get("voxel_ap", math.nan)), "{:.2f}"),
                [link for link in _links(str(row["subject"]), figures, viewer) if link.target.is_file()],
            ]
        )
    columns = (
        "eye", "label", "part", "classified", "p(disease)", "peak, \N{MICRO SIGN}m below the ILM", "peak in lesion",
        "voxel AP", "pictures",
    )  # fmt: skip
    return Table(columns, rows, f"{len(rows)} eyes, with links to figures and viewer", names=4, folded=True)


def _answer(value: Any) -> bool | None:
    return None if value is None or math.isnan(value) else bool(value)


def _number(value: float, form: str) -> str:
    return "\N{EN DASH}" if math.isnan(value) else form.format(value)
