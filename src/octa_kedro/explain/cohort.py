"""Scores and pictures of the maps of all eyes of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.localisation import score_map
from octa_kedro.explain.overlay import plane_figure, volume_figure
from octa_kedro.io.volume import Volume
from octa_kedro.results.stored import Stored

KEPT = ("model", "subject", "part", "disease", "target", "probability")


@dataclass(frozen=True)
class Surroundings:
    """What is known of the eyes beside image and map, by subject; any of it may be missing."""

    surfaces: Mapping[str, Stored] = field(default_factory=dict)
    lesions: Mapping[str, Stored] = field(default_factory=dict)
    enface: Mapping[str, Stored] = field(default_factory=dict)

    def read(self, what: str, subject: str) -> Any:
        """One of an eye's results, or None."""
        items = getattr(self, what)
        return items[subject]() if subject in items else None


def score_maps(
    maps: Mapping[str, Stored],
    around: Surroundings,
    predictions: pd.DataFrame,
    config: ExplainConfig,
    threshold: float,
) -> pd.DataFrame:
    """`localisation.score_map` of every mapped eye of one 3D model, beside its prediction.

    `predictions` are that model's; an eye is classified correctly if its probability lies on the right side
    of `threshold`. Columns: model, subject, part, disease, target, probability, correct,
    slab and the scores.
    """
    rows = []
    for row in predictions.to_dict("records"):
        subject, disease = str(row["subject"]), str(row["disease"])
        if subject not in maps:
            continue
        slab = config.lesion_slabs.get(disease)
        kept: dict[str, Any] = {name: row[name] for name in KEPT}
        kept |= {"correct": (row["probability"] >= threshold) == bool(row["target"]), "slab": slab or ""}
        scores = score_map(maps[subject](), around.read("surfaces", subject), around.read("lesions", subject), slab)
        rows.append(kept | scores)
    return pd.DataFrame(rows)


def draw_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    rows: pd.DataFrame,
    around: Surroundings,
    slabs: tuple[str, ...] = (),
) -> dict[str, Figure]:
    """A figure for each eye in `rows` (columns subject, disease, probability), all on one scale; `slabs` are the
    en-face maps a 2D network sees.

    The scale is the highest raw value among them, so that a map is bright only where its evidence is strong
    beside that of other eyes.
    """
    shown = [row for row in rows.to_dict("records") if str(row["subject"]) in maps]
    scale = max((float(maps[str(row["subject"])]().array.max()) for row in shown), default=1.0)
    figures = {}
    for row in shown:
        subject = str(row["subject"])
        title = f"{subject}: {row['disease']}, p(disease) = {row['probability']:.2f}"
        image, heat = images[subject](), maps[subject]()
        if isinstance(image, Volume):
            known = [around.read(what, subject) for what in ("enface", "surfaces", "lesions")]
            figures[f"{subject}.png"] = volume_figure(image, heat, *known, title=title, scale=scale)
        else:
            figures[f"{subject}.png"] = plane_figure(image.only(slabs), heat, title=title, scale=scale)
    return figures
