"""All eyes of a cohort to look through: a tile each, with why it was left out."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from octa_kedro.io.octa500 import plane_to_picture
from octa_kedro.panels import plain
from octa_kedro.preprocessing.inspection import read_thumbnail
from octa_kedro.preprocessing.quality import Thumbnail, reasons_in
from octa_kedro.results.stored import Stored

# Inches.
DPI, PANEL, BSCAN, GAP, HEADER, FOOTER, TOP = 120, 1.45, 1.95, 0.06, 0.21, 0.3, 0.42
TILE = (PANEL + BSCAN + 5 * GAP, HEADER + PANEL + FOOTER + 2 * GAP)
COLUMNS, ROWS = 4, 6
WORDS = 62
"""Letters of the reasons that fit into one line."""
OUT = "#C00000"
LINES = "#FFE9A8"
WHITE_PERCENTILE = 99.5


@dataclass(frozen=True)
class Card:
    """What a tile shows of an eye; `label` is its disease or class, `reasons` are why it is left out, if it is."""

    subject: str
    label: str
    laterality: str | None
    picture: Thumbnail
    reasons: tuple[str, ...] = ()


def make_cards(thumbnails: Mapping[str, Stored], cohort: pd.DataFrame, quality: pd.DataFrame) -> list[Card]:
    """A card for every eye of the cohort (columns subject and, if there are labels, disease) that has a thumbnail."""
    reasons = {subject: tuple(text.split("; ")) for subject, text in reasons_in(quality).items()}
    words = cohort["disease"] if "disease" in cohort else pd.Series("", index=cohort.index)
    return [
        Card(subject, str(word), stored.meta["laterality"], read_thumbnail(stored), reasons.get(subject, ()))
        for subject, word in zip(cohort["subject"].astype(str), words, strict=True)
        if (stored := thumbnails.get(subject)) is not None
    ]


def contact_sheet(cards: Sequence[Card], *, title: str = "Eyes", per_page: int = COLUMNS * ROWS) -> list[Figure]:
    """Return the pages: en-face map and middle B-scan with its surfaces, eyes left out framed in red.

    Without cards (no step needs a retina, so none was looked for) one page says so.

    Grey levels share one scale over all pages, so that a weak scan looks weak.
    """
    if not cards:
        page = Figure(figsize=(6, 1), dpi=DPI)
        page.text(
            0.5, 0.5, f"{plain(title)}: none was inspected, since no step needs its retina", ha="center", va="center"
        )
        return [page]
    whites = _white([card.picture for card in cards])
    pages = [cards[start : start + per_page] for start in range(0, len(cards), per_page)]
    out = sum(bool(card.reasons) for card in cards)
    head = f"{title}: {len(cards)} eyes, {out} left out"
    return [
        _page(page, f"{head} (page {number} of {len(pages)})", whites) for number, page in enumerate(pages, start=1)
    ]


def _white(pictures: list[Thumbnail]) -> tuple[float, float]:
    """Grey levels shown white on en-face maps and B-scans: those of the middle eye's brightest pixels."""
    enface, bscan = (
        float(np.median([np.percentile(getattr(picture, name), WHITE_PERCENTILE) for picture in pictures]))
        for name in ("enface", "bscan")
    )
    return max(enface, 1e-6), max(bscan, 1e-6)


def _page(cards: Sequence[Card], title: str, whites: tuple[float, float]) -> Figure:
    columns = min(COLUMNS, len(cards))
    rows = math.ceil(len(cards) / columns)
    width, height = max(columns, 2) * TILE[0] + GAP, rows * TILE[1] + TOP
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.text(2 * GAP / width, 1 - 0.1 / height, plain(title), va="top", fontsize=12, weight="bold")
    for number, card in enumerate(cards):
        row, column = divmod(number, columns)
        left, bottom = GAP / 2 + column * TILE[0], height - TOP - (row + 1) * TILE[1]
        _tile(figure, card, (left, bottom), (width, height), whites)
    return figure


def _tile(
    figure: Figure,
    card: Card,
    corner: tuple[float, float],
    page: tuple[float, float],
    whites: tuple[float, float],
) -> None:
    """One eye whose tile has its lower left `corner` there, in inches of the `page`."""
    (left, bottom), (width, height) = corner, page
    colour = OUT if card.reasons else "0.8"
    frame = (
        ((left + GAP / 2) / width, (bottom + GAP / 2) / height),
        (TILE[0] - GAP) / width,
        (TILE[1] - GAP) / height,
    )
    figure.add_artist(
        Rectangle(*frame, fill=False, edgecolor=colour, lw=1.6 if card.reasons else 0.6, transform=figure.transFigure)
    )
    x, top = (left + 1.7 * GAP) / width, bottom + TILE[1] - 1.2 * GAP
    figure.text(x, top / height, plain(card.subject), va="top", fontsize=9.5, weight="bold")
    extent = card.picture.extent_mm
    facts = f"{card.label}   {card.laterality or 'side unknown'}   {extent[0]:.3g} x {extent[1]:.3g} mm"
    figure.text((left + TILE[0] - 1.7 * GAP) / width, top / height, plain(facts), va="top", ha="right", fontsize=8.5)
    pictures = (bottom + FOOTER + GAP / 2) / height
    enface = figure.add_axes(((left + 1.7 * GAP) / width, pictures, PANEL / width, PANEL / height))
    bscan = figure.add_axes(((left + 2.7 * GAP + PANEL) / width, pictures, BSCAN / width, PANEL / height))
    _draw(enface, bscan, card.picture, whites)
    lines = textwrap.wrap("; ".join(card.reasons), WORDS, max_lines=2, placeholder=" ...")
    figure.text(
        x, (bottom + FOOTER) / height, plain("\n".join(lines)), va="top", fontsize=7.2, color=OUT, linespacing=1.1
    )


def _draw(enface: Axes, bscan: Axes, picture: Thumbnail, whites: tuple[float, float]) -> None:
    """Superior at the top; a dash at each side tells where the B-scan lies."""
    enface.imshow(plane_to_picture(picture.enface), cmap="gray", vmin=0, vmax=whites[0], aspect="auto")
    middle = (picture.enface.shape[1] - 1) / 2
    for start, stop in ((0.0, 0.05), (0.95, 1.0)):
        enface.axhline(middle, start, stop, color=LINES, lw=1.2)
    bscan.imshow(picture.bscan.T, cmap="gray", vmin=0, vmax=whites[1], aspect="auto")
    bscan.plot(picture.surfaces.T, color=LINES, lw=0.6, alpha=0.85)
    bscan.set(xlim=(-0.5, picture.bscan.shape[0] - 0.5), ylim=(picture.bscan.shape[1] - 0.5, -0.5))
    depth = picture.extent_mm[2]
    bscan.text(0.985, 0.02, f"{depth:.2f} mm deep", color="white", fontsize=6, ha="right", transform=bscan.transAxes)
    for axes in (enface, bscan):
        axes.set_axis_off()
