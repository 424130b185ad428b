"""The page of a 3D model's explanation results, for readers who have seen no code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import readable_model
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.summary import POOLED
from octa_kedro.report.eyes import PARTS, eye_sections
from octa_kedro.report.page import ReportPage
from octa_kedro.report.score_tables import (
    disease_section,
    finding_section,
    percent,
    size_section,
    slab_section,
)
from octa_kedro.report.sections import Conclusions, Link, Section
from octa_kedro.report.settings_words import settings_of

PLAUSIBILITY = (
    "Plausibility only: there is no lesion mask of a correctly classified eye of the explained class. The maps show "
    "where the network finds its evidence; whether that place is the lesion has not been measured."
)
TERMS = (
    ("Map", "How much each voxel of the scan speaks for the class, as the method sees it. It does not prove that the "
     "network needs that place."),
    ("Peak in lesion", "Share of eyes in which the strongest voxel of the map lies inside the lesion."),
    ("Voxel AP", "Average precision: how well the map ranks the voxels of the lesion above the other voxels of the "
     "retina. 1 is perfect; chance is the lesion's share of the voxels."),
    ("Depth hit", "Share of eyes in which the strongest voxel lies in the slab of the retina in which the disease is. "
     "A map that knows nothing may hit a thick slab often."),
    ("Energy", "Share of the map's sum that lies inside the lesion."),
    ("IoU, Dice", "Overlap of lesion and map, where the map is cut off at Otsu's threshold. Dice*: held-out eyes, cut "
     "off where it was best on development eyes."),
    ("IoA, wIoA", "Share of the map above the threshold that lies inside the lesion, plain and weighted by strength."),
    ("Controls", "Pictures that know nothing of what the network has learnt, scored like a map: brightness, edges, the "
     "centre of the scan, random values, and maps of a network with random weights; and the 2D network's map drawn "
     "through all depths. A useful map exceeds them all."),
    ("Held-out, out-of-fold", "Held-out eyes: no network was trained or chosen on them. Out-of-fold eyes took part in "
     "development; each is judged by the network that was not trained on it."),
)  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """The tables of a model: scores by eye, their summary, by finding, by lesion size, and evidence per slab."""

    by_eye: pd.DataFrame
    summary: pd.DataFrame
    findings: pd.DataFrame
    sizes: pd.DataFrame
    slabs: pd.DataFrame


@dataclass(frozen=True)
class Places:
    """Where the figures (a folder) and the viewer (its ``index.html``) of a model lie."""

    figures: Path
    viewer: Path


def explanation_page(
    scores: Scores,
    layer: Mapping[str, Any],
    config: ExplainConfig,
    places: Places,
    more: Sequence[Section] = (),
    *,
    level: float = 0.95,
) -> ReportPage:
    """The page of a 3D model: conclusions, then scores by disease, finding and lesion size beside controls, evidence
    per slab, `more` sections, and the best, the median and the worst eye of each disease.

    `layer` says how maps were made (`Explainer.describe`), `level` is that of the intervals. Where no lesion mask is
    known the page says that its maps can only be plausible.
    """
    masks = bool((scores.summary["n_lesion"] > 0).any()) if len(scores.summary) else False
    links = [Link("Viewer: all eyes in three planes and in 3D", places.viewer), Link("Figures", places.figures)]
    scored = [
        disease_section(scores.summary, level, masks=masks),
        finding_section(scores.findings, level),
        size_section(scores.sizes, level),
        slab_section(scores.slabs, level),
    ]
    own = scores.by_eye[scores.by_eye["method"] == MAP]
    return ReportPage(
        title=f"Where the {readable_model(str(layer['model']))} looks",
        conclusions=[Conclusions(conclusions(scores.summary, scores.slabs, masks=masks))],
        facts=[*settings_of(layer, config), *_eyes_words(own)],
        sections=[
            *(section for section in scored if section is not None),
            *more,
            *eye_sections(own, places.figures, places.viewer, target_class=layer["target_class"]),
            Section("How to read the scores", terms=TERMS),
        ],
        caution="" if masks else PLAUSIBILITY,
        links=links,
        viewer=places.viewer,
    )


def conclusions(summary: pd.DataFrame, slabs: pd.DataFrame, *, masks: bool) -> list[str]:
    """A sentence for each disease: the verdict, and how often the peak lies in the lesion; without masks, in which slab
    most of the evidence lies."""
    said = []
    own = summary[(summary["method"] == MAP) & (summary["part"] == POOLED)] if len(summary) else summary
    for row in own.to_dict("records"):
        words = f"{row['disease']}: the map {row['conclusion']}." if row["conclusion"] else f"{row['disease']}:"
        if row["n_lesion"]:
            words += (
                f" Its strongest voxel lies inside the lesion in {row['lesion_hits']} of {row['n_lesion']} correctly "
                f"classified eyes ({percent(row['lesion_rate'])}; by chance {percent(row['prevalence'])})."
            )
        said.append(words)
    if not masks:
        said += [_strongest_slab(str(disease), rows) for disease, rows in slabs.groupby("disease", sort=True)]
    return said or ["No correctly classified eye of the explained class has a map: there is nothing to conclude."]


def _strongest_slab(disease: str, rows: pd.DataFrame) -> str:
    best = max(rows.to_dict("records"), key=lambda row: row["share"])
    return (
        f"{disease}: most of the evidence lies in slab {best['slab']} ({percent(best['share'])} of it, in "
        f"{percent(best['voxels'])} of the voxels; {best['eyes']} eyes)."
    )


def _eyes_words(own: pd.DataFrame) -> list[tuple[str, str]]:
    counts = own["part"].astype(str).value_counts()
    counted = ", ".join(f"{n} {PARTS.get(str(part), str(part))}" for part, n in counts.items())
    return [("Eyes with a map", f"{len(own)} ({counted})" if counted else "none")]
