"""Scores of the maps of all eyes of a model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from octa_kedro.explain import localisation
from octa_kedro.explain.config import PREDICTED, ExplainConfig
from octa_kedro.explain.controls import Eye
from octa_kedro.explain.localisation import score_map
from octa_kedro.explain.scoring import choose_thresholds, curve_of, methods_of
from octa_kedro.explain.target import EXPLAINED
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.stored import Stored

KEPT = ("model", "subject", "part", "disease", "target", "probability")
WHERE_KNOWN = ("patient", "spread")


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


@dataclass(frozen=True)
class Rivals:
    """What is scored beside the maps, by subject; any of it may be missing.

    Controls are made from `images` (the processed volumes) and, for the one that is extruded along depth, from
    `plane_maps` of a 2D network. `others` are further maps by the name of their method, such as those of a network
    with random weights.
    """

    images: Mapping[str, Stored] = field(default_factory=dict)
    plane_maps: Mapping[str, Stored] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Stored]] = field(default_factory=dict)

    def eye(self, subject: str, surfaces: PlaneStack | None) -> Eye | None:
        """What controls look at; None without an image."""
        if subject not in self.images:
            return None
        plane_map = self.plane_maps[subject]() if subject in self.plane_maps else None
        return Eye(subject, self.images[subject](), surfaces, plane_map)


@dataclass(frozen=True)
class _Scored:
    """A map to score, with what is known of its eye."""

    kept: dict[str, Any]
    method: str
    heat: Volume
    surfaces: PlaneStack | None
    lesion: Volume | None


def judged_eyes(predictions: pd.DataFrame, target_class: int | str, threshold: float) -> pd.DataFrame:
    """The rows of diseased eyes of the explained class (PREDICTED: of any) that are classified correctly: those whose
    scores are summarised."""
    explained = (predictions["target"] == target_class) | (target_class == PREDICTED)
    diseased = predictions["target"] > 0
    return predictions[explained & diseased & (predictions["probability"] >= threshold)]


def score_maps(
    maps: Mapping[str, Stored],
    around: Surroundings,
    predictions: pd.DataFrame,
    config: ExplainConfig,
    threshold: float,
    *,
    rivals: Rivals | None = None,
) -> pd.DataFrame:
    """`localisation.score_map` of every mapped eye of one 3D model, beside its prediction and what its `rivals` score.

    `predictions` are that model's; an eye is classified correctly if its probability lies on the right side
    of `threshold`. Rivals are scored for diseased eyes only. Columns: model, subject, part, disease, target,
    probability (and WHERE_KNOWN, where predictions have them), correct, explained (index of the map's class), slab,
    method, the scores, and those at a threshold chosen on development eyes (`scoring.choose_thresholds`).
    """
    rows, curves = [], []
    for item in _to_score(maps, around, predictions, config, threshold, rivals=rivals or Rivals()):
        subject, slab = str(item.kept["subject"]), item.kept["slab"] or None
        scores = score_map(item.heat, item.surfaces, item.lesion, slab, subject=subject)
        rows.append(item.kept | {"method": item.method} | scores)
        curves.append(curve_of(item.heat, item.lesion, subject))
    return choose_thresholds(pd.DataFrame(rows, columns=None if rows else [*KEPT, "method"]), curves)


def score_findings(
    maps: Mapping[str, Stored],
    around: Surroundings,
    predictions: pd.DataFrame,
    config: ExplainConfig,
    threshold: float,
    *,
    names: Mapping[int, str] | None = None,
    rivals: Rivals | None = None,
) -> pd.DataFrame:
    """`localisation.score_findings` of every mapped eye with a mask: a row per eye, method and finding.

    `names` are those of the mask's values; a value without one goes by its number. Columns: those that `score_maps`
    keeps of an eye, method and the scores.
    """
    rows = []
    for item in _to_score(maps, around, predictions, config, threshold, rivals=rivals or Rivals()):
        if item.lesion is not None:
            found = localisation.score_findings(
                item.heat, item.surfaces, item.lesion, names, subject=str(item.kept["subject"])
            )
            rows += [item.kept | {"method": item.method} | scores for scores in found]
    return pd.DataFrame(rows, columns=None if rows else [*KEPT, "correct", EXPLAINED, "slab", "method", "finding"])


def _to_score(
    maps: Mapping[str, Stored],
    around: Surroundings,
    predictions: pd.DataFrame,
    config: ExplainConfig,
    threshold: float,
    *,
    rivals: Rivals,
) -> Iterator[_Scored]:
    """Every map of every eye, one eye in memory at a time."""
    for row in predictions.to_dict("records"):
        subject, disease = str(row["subject"]), str(row["disease"])
        if subject not in maps:
            continue
        kept: dict[str, Any] = {name: row[name] for name in (*KEPT, *WHERE_KNOWN) if name in row}
        kept["correct"] = (row["probability"] >= threshold) == bool(row["target"])
        stored = maps[subject]
        kept[EXPLAINED] = config.target_class if isinstance(config.target_class, int) else stored.meta[EXPLAINED]
        kept["slab"] = config.lesion_slabs.get(disease, "")
        surfaces, lesion = around.read("surfaces", subject), around.read("lesions", subject)
        diseased = bool(row["target"])
        others = {name: heats[subject]() for name, heats in rivals.others.items() if diseased and subject in heats}
        eye = rivals.eye(subject, surfaces) if diseased else None
        for method, heat in methods_of(stored(), others, eye):
            yield _Scored(kept, method, heat, surfaces, lesion)
