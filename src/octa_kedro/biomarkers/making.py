"""The biomarkers of each eye of a cohort as stored results, and as one table."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.biomarkers.definitions import COLUMNS
from octa_kedro.biomarkers.eye import Measured, measure_eye
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.artefact_config import RESOLVED, ArtefactConfig
from octa_kedro.preprocessing.artefacts import oct_needed_by, remove_artefacts
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.results.config import OnError
from octa_kedro.results.keys import hash_of
from octa_kedro.results.recipe import Recipe, Recipes, write_recipes
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

MASKS = "biomarkers"
"""The part that is made of an eye: the masks of what was measured; the values are its facts."""
VALUES, REASONS, PLACE = "biomarkers", "reasons", "place"
PLACE_COLUMNS = ("field_x_mm", "field_y_mm", "pixel_um", "fovea_x_mm", "fovea_y_mm", "centred_on")
ENOUGH = 3
"""Measures that are named with a reason, of more."""


def biomarker_recipes(
    source: Source,
    subjects: Sequence[str],
    surfaces: Mapping[str, Stored],
    config: ProcessingConfig,
    *,
    on_error: OnError = "stop",
) -> Recipes:
    """What is measured of each eye whose surfaces are known (part MASKS)."""
    artefacts = config.projection_artefacts
    modalities = (config.modality, "OCT") if artefacts.method == RESOLVED else (config.modality,)

    def write(subject: str) -> Recipe:
        with oct_needed_by(artefacts):
            bytes_ = source.fingerprint(subject, *modalities)
        own = surfaces[subject]
        key = hash_of(step="biomarkers", scan=bytes_, surfaces=own.sha256, modality=config.modality, settings=artefacts)
        make = partial(biomarker_parts, source, subject, own, config.modality, artefacts)
        return Recipe(make, {MASKS: key}, unchanged=partial(_has_bytes, source, subject, modalities, bytes_))

    return write_recipes([subject for subject in subjects if subject in surfaces], write, on_error)


def biomarker_parts(
    source: Source, subject: str, surfaces: Stored, modality: str, artefacts: ArtefactConfig, _parts: Sequence[str]
) -> dict[str, Result]:
    """The masks of one eye, with its biomarkers as facts; of an OCT scan only thicknesses are measured."""
    own = mirror(surfaces())
    flow = None
    if modality != "OCT":
        flow = mirror(source.volume(subject, modality))
        beside = mirror(source.volume(subject, "OCT")) if artefacts.method == RESOLVED else None
        flow, _ = remove_artefacts(flow, beside, own, artefacts)
    measured = measure_eye(flow, own)
    facts = {VALUES: measured.values, REASONS: measured.reasons, PLACE: measured.facts}
    return {MASKS: Result(_planes(measured, own), facts=facts)}


def _planes(measured: Measured, surfaces: PlaneStack) -> PlaneStack:
    names = tuple(measured.masks) or ("nothing",)
    empty = np.zeros(surfaces.array.shape[:2], bool)
    array = np.stack([measured.masks.get(name, empty) for name in names], axis=2).astype(np.uint8)
    return PlaneStack(
        array, surfaces.grid_affine, names, surfaces.laterality, surfaces.source, surfaces.note, surfaces.frame
    )


def _has_bytes(source: Source, subject: str, modalities: Sequence[str], bytes_: str) -> bool:
    """Whether the eye's files are still there, with the content that they had."""
    return source.fingerprint(subject, *modalities) == bytes_


def tabulate_biomarkers(measured: Mapping[str, Stored]) -> pd.DataFrame:
    """One row per eye: subject, laterality, PLACE_COLUMNS, the biomarkers `definitions.COLUMNS` in `definitions.UNITS`,
    and in `reasons` why some of them are empty."""
    rows = [_row(subject, stored.meta) for subject, stored in measured.items()]
    return pd.DataFrame(rows, columns=["subject", "laterality", *PLACE_COLUMNS, *COLUMNS, "reasons"])


def _row(subject: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    values, reasons = meta[VALUES], meta[REASONS]
    who = {"subject": subject, "laterality": meta["laterality"] or "", **meta[PLACE]}
    return who | values | {"reasons": reasons_in_words(reasons)}


def reasons_in_words(reasons: Mapping[str, str]) -> str:
    """Reasons by measure as one text: each reason once, with the first measures that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    told = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - ENOUGH} more" if len(names) > ENOUGH else ""
        told.append(f"{reason}: {', '.join(names[:ENOUGH])}{more}")
    return "; ".join(told)
