"""What is made of each eye of a cohort, as recipes whose ingredients are everything a result depends on."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import pandas as pd

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.identifiers import find_name
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.artefacts import oct_needed_by
from octa_kedro.preprocessing.config import PARTS, ProcessingConfig
from octa_kedro.preprocessing.conversion import VOLUME, convert_scan
from octa_kedro.preprocessing.inspection import INSPECTED, inspect_eye
from octa_kedro.preprocessing.making import (
    REFERENCE_PARTS,
    field_name,
    processed_parts,
    read_reference,
    reference_parts,
)
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.preprocessing.processed_as import PROCESSING_KEY, QUALITY, REFERENCES
from octa_kedro.preprocessing.registration import choose_reference
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye
from octa_kedro.results.keys import hash_of
from octa_kedro.results.recipe import Recipe, Recipes, write_recipes
from octa_kedro.results.stored import Manifest, Stored

OTHER_REFERENCE = (
    "the eyes of its field of view are registered to it: name another with processing.registration.reference, or take "
    "it out with cohort.exclude"
)
"""What helps where a reference cannot be made."""


def conversions(
    source: Source, subjects: Iterable[str], modalities: Sequence[str], *, on_error: OnError = "stop"
) -> Recipes:
    """Each scan as a volume with its true spacing (part `conversion.VOLUME`), by ``subject-modality``."""
    scans = {f"{subject}-{modality}": (subject, modality) for subject in subjects for modality in modalities}

    def write(name: str) -> Recipe:
        subject, modality = scans[name]
        bytes_ = source.fingerprint(subject, modality)
        return Recipe(
            partial(convert_scan, source, subject, modality),
            {VOLUME: hash_of(step="volume", bytes=bytes_, modality=modality)},
            unchanged=partial(_has_bytes, source, subject, (modality,), bytes_),
        )

    return write_recipes(scans, write, on_error)


def inspections(
    source: Source,
    subjects: Iterable[str],
    config: ProcessingConfig,
    modalities: Sequence[str],
    *,
    on_error: OnError = "stop",
) -> Recipes:
    """What is found in each eye's scans (parts `inspection.INSPECTED`); nothing where no step needs a retina."""

    def write(subject: str) -> Recipe:
        bytes_ = source.fingerprint(subject, *modalities)
        key = hash_of(step="inspect", bytes=bytes_, modalities=list(modalities))
        make = partial(inspect_eye, source, subject, tuple(modalities))
        unchanged = partial(_has_bytes, source, subject, tuple(modalities), bytes_)
        return Recipe(make, dict.fromkeys(INSPECTED, key), unchanged=unchanged)

    return write_recipes(subjects if config.needs_surfaces else (), write, on_error)


def _has_bytes(source: Source, subject: str, modalities: Sequence[str], bytes_: str) -> bool:
    """Whether the eye's files are still there, with the content that they had."""
    return source.fingerprint(subject, *modalities) == bytes_


def references(
    source: Source, surfaces: Manifest, eligible: pd.DataFrame, config: ProcessingConfig, *, on_error: OnError = "stop"
) -> Recipes:
    """For each field of view (3mm) the eye that others are registered to (parts `making.REFERENCE_PARTS`).

    It is named by ``registration.reference`` or chosen among `eligible` (columns subject, field_of_view_mm), by the
    shape of their retina alone. ConfigError if the eye that is named has none.
    """
    recipes = Recipes({})
    for field_mm, subjects in by_field(eligible).items() if config.registration.method != "none" else ():
        subject = _reference_subject(field_mm, subjects, surfaces, config, on_error)
        stored = surfaces[subject]
        key = hash_of(step="reference", scan=source.fingerprint(subject, "OCT"), surfaces=stored.sha256, config=config)
        make = partial(reference_parts, source, subject, stored, config)
        recipes[field_name(field_mm)] = Recipe(make, dict.fromkeys(REFERENCE_PARTS, key))
    return recipes


def by_field(eyes: pd.DataFrame) -> dict[float, list[str]]:
    """Subjects by field of view in millimetres (columns subject, field_of_view_mm)."""
    found: dict[float, list[str]] = {}
    for field_mm, subject in sorted(
        zip(eyes["field_of_view_mm"].astype(float), eyes["subject"].astype(str), strict=True)
    ):
        found.setdefault(field_mm, []).append(subject)
    return found


def processing(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: Mapping[str, Stored],
    references: Mapping[str, Stored],
    config: ProcessingConfig,
    *,
    on_error: OnError = "stop",
) -> Recipes:
    """What is made of each eye of the cohort (parts `config.PARTS`; columns subject, field_of_view_mm)."""
    settings = config.model_dump(mode="json")
    modalities = (config.modality, "OCT") if config.reads_oct else (config.modality,)
    fields = dict(zip(cohort["subject"].astype(str), cohort["field_of_view_mm"], strict=True))

    def write(subject: str) -> Recipe:
        field_mm = fields[subject]
        chosen = {name: item for name, item in references.items() if name.startswith(f"{field_name(field_mm)}-")}
        own = surfaces.get(subject)
        with oct_needed_by(config.projection_artefacts):
            scan = source.fingerprint(subject, *modalities)
        common = {
            "step": "process",
            "scan": scan,
            "surfaces": own.sha256 if own else None,
            "references": {name: item.sha256 for name, item in chosen.items()},
        }
        reference = read_reference(chosen, float(field_mm))
        make = partial(processed_parts, source, subject, own, config=config, reference=reference)
        facts = {
            PROCESSING_KEY: settings,
            QUALITY: own.meta.get(QUALITY, {}) if own else {},
            REFERENCES: common["references"],
        }
        keys = {part: hash_of(settings=config.settings_of(part), **common) for part in PARTS}
        return Recipe(make, keys, facts, unchanged=partial(_has_bytes, source, subject, modalities, scan))

    return write_recipes(fields, write, on_error)


def _reference_subject(
    field_mm: float, subjects: list[str], surfaces: Manifest, config: ProcessingConfig, on_error: OnError
) -> str:
    named = config.registration.reference
    if isinstance(named, dict) and field_mm in named:
        subject = find_name(named[field_mm], surfaces, "processing.registration.reference", in_a_list=True)
        if subject is None:
            raise ConfigError(
                f"processing.registration.reference: {named[field_mm]} has no surfaces; name an eye of the cohort, or "
                "say auto"
            )
        return subject
    found: dict[str, PlaneStack] = each_eye(
        [s for s in subjects if s in surfaces], lambda s: surfaces[s](), on_error
    ).done
    if not found:
        raise DataError(f"no development subject with a field of {field_mm:g} mm has surfaces to be a reference by")
    return choose_reference({s: mirror(stack) if config.mirror_left else stack for s, stack in found.items()})
