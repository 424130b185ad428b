"""What is made of each eye of a cohort, as recipes under keys that hold everything a result depends on."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import pandas as pd

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.config import PARTS, ProcessingConfig
from octa_kedro.preprocessing.eye import Reference, make_reference, process_eye
from octa_kedro.preprocessing.inspection import INSPECTED, inspect_eye
from octa_kedro.preprocessing.placement import mirror
from octa_kedro.preprocessing.processed_as import PROCESSING_KEY
from octa_kedro.preprocessing.registration import choose_reference
from octa_kedro.results.store import Recipe, Result
from octa_kedro.results.stored import Stored, StoredSet

CODE = ("octa_kedro.io", "octa_kedro.preprocessing")
IMAGE, SURFACES = "image", "surfaces"

Recipes = dict[str, Recipe]


def conversions(source: Source, subjects: Iterable[str], modalities: Sequence[str]) -> Recipes:
    """Each scan as a volume with its true spacing, by ``subject-modality``."""
    code = code_fingerprint("octa_kedro.io")
    return {
        f"{subject}-{modality}": Recipe(
            recipe_key(step="volume", bytes=source.fingerprint(subject, modality), code=code),
            partial(source.volume, subject, modality),
        )
        for subject in subjects
        for modality in modalities
    }


def inspections(
    source: Source, subjects: Iterable[str], config: ProcessingConfig, modalities: Sequence[str]
) -> dict[str, Recipes]:
    """By part (`inspection.INSPECTED`), what is found in each eye's scans; nothing where no step needs a retina."""
    code = code_fingerprint(*CODE)
    chosen = list(subjects) if config.needs_surfaces else []
    keys = {s: recipe_key(step="inspect", bytes=source.fingerprint(s, *modalities), code=code) for s in chosen}
    make = {s: partial(inspect_eye, source, s, tuple(modalities)) for s in chosen}
    return {
        part: {s: Recipe(keys[s], make[s], part=part, family=dict.fromkeys(INSPECTED, keys[s])) for s in chosen}
        for part in INSPECTED
    }


def references(source: Source, surfaces: StoredSet, eligible: pd.DataFrame, config: ProcessingConfig) -> Recipes:
    """For each field of view the eye that others are registered to, by ``3mm-image`` and ``3mm-surfaces``.

    It is named by ``registration.reference`` or chosen among `eligible` (columns subject, field_of_view_mm), by the
    shape of their retina alone. ConfigError if the eye that is named has none.
    """
    if config.registration.method == "none":
        return {}
    recipes: Recipes = {}
    code = code_fingerprint(*CODE)
    for field_mm, subjects in by_field(eligible).items():
        subject = _reference_subject(field_mm, subjects, surfaces, config)
        stored, name = surfaces[subject], field_name(field_mm)
        key = recipe_key(
            step="reference", scan=source.fingerprint(subject, "OCT"), surfaces=stored.sha256, config=config, code=code
        )
        make = partial(_make_reference, source, subject, stored, config)
        family = dict.fromkeys((IMAGE, SURFACES), key)
        recipes |= {f"{name}-{part}": Recipe(key, make, part=part, family=family) for part in family}
    return recipes


def read_reference(stored: Mapping[str, Stored], field_mm: float) -> Reference | None:
    """The reference of a field of view, None where there is none."""
    name = field_name(field_mm)
    if f"{name}-{IMAGE}" not in stored:
        return None
    image, surfaces = stored[f"{name}-{IMAGE}"], stored[f"{name}-{SURFACES}"]
    return Reference(image(), surfaces(), tuple(surfaces.meta["shape"]))


def by_field(eyes: pd.DataFrame) -> dict[float, list[str]]:
    """Subjects by field of view in millimetres (columns subject, field_of_view_mm)."""
    found: dict[float, list[str]] = {}
    for field_mm, subject in sorted(
        zip(eyes["field_of_view_mm"].astype(float), eyes["subject"].astype(str), strict=True)
    ):
        found.setdefault(field_mm, []).append(subject)
    return found


def field_name(field_mm: float) -> str:
    """A field of view as it is named in files: 3mm."""
    return f"{field_mm:g}mm"


def processed(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: Mapping[str, Stored],
    references: Mapping[str, Stored],
    config: ProcessingConfig,
) -> dict[str, Recipes]:
    """By part (`eye.PARTS`), what is made of each eye of the cohort (columns subject, field_of_view_mm)."""
    code, facts = code_fingerprint(*CODE), {PROCESSING_KEY: config.model_dump(mode="json")}
    modalities = (config.modality, "OCT") if config.reads_oct else (config.modality,)
    recipes: dict[str, Recipes] = {part: {} for part in PARTS}
    for subject, field_mm in zip(cohort["subject"].astype(str), cohort["field_of_view_mm"], strict=True):
        chosen = {name: item for name, item in references.items() if name.startswith(f"{field_name(field_mm)}-")}
        own = surfaces.get(subject)
        common = {
            "scan": source.fingerprint(subject, *modalities),
            "surfaces": own.sha256 if own else None,
            "references": {name: item.sha256 for name, item in chosen.items()},
            "code": code,
        }
        family = {part: recipe_key(step="process", settings=config.settings_of(part), **common) for part in PARTS}
        reference = read_reference(chosen, float(field_mm))
        make = partial(_process, source, subject, own, config=config, reference=reference)
        for part in PARTS:
            recipes[part][subject] = Recipe(family[part], make, facts, part, family)
    return recipes


def read_surfaces(stored: Mapping[str, Stored], subjects: Iterable[str]) -> dict[str, PlaneStack]:
    """Surfaces of those subjects that have any."""
    return {str(s): stored[str(s)]() for s in subjects if str(s) in stored}


def _reference_subject(field_mm: float, subjects: list[str], surfaces: StoredSet, config: ProcessingConfig) -> str:
    named = config.registration.reference
    if isinstance(named, dict) and field_mm in named:
        subject = named[field_mm]
        if subject not in surfaces:
            raise ConfigError(
                f"processing.registration.reference: {subject} has no surfaces; name an eye of the cohort, or say auto"
            )
        return subject
    found = read_surfaces(surfaces, subjects)
    if not found:
        raise DataError(f"no development subject with a field of {field_mm:g} mm has surfaces to be a reference by")
    return choose_reference({s: mirror(stack) if config.mirror_left else stack for s, stack in found.items()})


def _make_reference(
    source: Source, subject: str, stored: Stored, config: ProcessingConfig, _parts: Sequence[str]
) -> dict[str, Result]:
    made = make_reference(source, subject, stored(), config)
    facts = {"shape": list(made.shape), "subject": subject}
    return {IMAGE: Result(made.image), SURFACES: Result(made.surfaces, facts=facts)}


def _process(
    source: Source,
    subject: str,
    surfaces: Stored | None,
    parts: Sequence[str],
    *,
    config: ProcessingConfig,
    reference: Reference | None,
) -> dict[str, Result]:
    return process_eye(source, subject, surfaces() if surfaces else None, config, reference, parts=parts)
