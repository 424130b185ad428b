"""Eyes processed from the results of earlier steps, in the form that `results.recipe` asks for."""

from collections.abc import Mapping, Sequence

from octa_kedro.io.source import Source
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.eye import Reference, make_reference, process_eye
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

IMAGE, SURFACES = REFERENCE_PARTS = ("image", "surfaces")


def reference_parts(
    source: Source, subject: str, surfaces: Stored, config: ProcessingConfig, _parts: Sequence[str]
) -> dict[str, Result]:
    """The image that other eyes are registered to, and the surfaces of its eye."""
    made = make_reference(source, subject, surfaces(), config)
    facts = {"shape": list(made.shape), "subject": subject}
    return {IMAGE: Result(made.image), SURFACES: Result(made.surfaces, facts=facts)}


def read_reference(stored: Mapping[str, Stored], field_mm: float) -> Reference | None:
    """The reference of a field of view, None where there is none."""
    name = field_name(field_mm)
    if f"{name}-{IMAGE}" not in stored:
        return None
    image, surfaces = stored[f"{name}-{IMAGE}"], stored[f"{name}-{SURFACES}"]
    return Reference(image(), surfaces(), tuple(surfaces.meta["shape"]))


def field_name(field_mm: float) -> str:
    """A field of view as it is named in files: 3mm."""
    return f"{field_mm:g}mm"


def processed_parts(
    source: Source,
    subject: str,
    surfaces: Stored | None,
    parts: Sequence[str],
    *,
    config: ProcessingConfig,
    reference: Reference | None,
) -> dict[str, Result]:
    """Those `parts` (`config.PARTS`) of one eye that the configuration asks for and the source has."""
    return process_eye(source, subject, surfaces() if surfaces else None, config, reference, parts=parts)
