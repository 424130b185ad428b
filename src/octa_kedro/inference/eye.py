"""One unseen eye through a trained network: probability, map and figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.gradcam import Explainer
from octa_kedro.explain.overlay import UNIT, plane_figure, volume_figure
from octa_kedro.identifiers import Given, find_name
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.config import ENFACE, SURFACES, VOLUME
from octa_kedro.preprocessing.eye import process_eye
from octa_kedro.preprocessing.making import read_reference
from octa_kedro.preprocessing.retina import surfaces_of
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Reading:
    """What a network says of one eye."""

    prediction: dict[str, Any]
    image: Volume | PlaneStack
    heat: Volume | PlaneStack
    figure: Figure


def choose_subject(source: Source, wanted: Given | None) -> str:
    """The subject asked for, or the only one there is; ConfigError says how to name one."""
    subjects = source.subjects()
    if wanted is not None:
        found = find_name(wanted, subjects, "inference.subject")
        if found is None:
            shown = ", ".join(subjects[:5]) + (", ..." if len(subjects) > 5 else "")
            raise ConfigError(f"inference.subject={wanted}: no such eye in the source, which holds {shown}")
        return found
    if len(subjects) != 1:
        raise ConfigError(f"the source holds {len(subjects)} eyes; name one with --params inference.subject=ID")
    return subjects[0]


def read_eye(
    source: Source,
    subject: str,
    checkpoint: Checkpoint,
    config: ExplainConfig,
    references: Mapping[str, Stored] = MappingProxyType({}),
) -> Reading:
    """Process one eye exactly as the checkpoint's card says its training eyes were, predict and explain it.

    `references` are needed if those were registered: the eyes that they were registered to. No label is needed or
    read. The probability is the network's; it is calibrated for no population but the one it was trained on.
    """
    card = checkpoint.card
    if card.kind != "classifier":
        raise CheckpointError(
            f"a checkpoint of kind {card.kind!r} cannot classify; give one of training_2d or training_3d"
        )
    processing = card.processing
    surfaces = surfaces_of(source, subject) if processing.needs_surfaces else None
    field_mm = source.check(subject, processing.modality)["field_of_view_mm"]
    reference = read_reference(references, field_mm)
    made = process_eye(source, subject, surfaces, processing, reference, parts=(VOLUME, ENFACE, SURFACES))
    enface, placed = (made[part].item if part in made else None for part in (ENFACE, SURFACES))
    assert enface is None or isinstance(enface, PlaneStack)
    assert placed is None or isinstance(placed, PlaneStack)
    image = made[VOLUME].item
    if card.model.spatial_dims == 2:
        if enface is None:
            raise CheckpointError("the checkpoint's network sees en-face maps, but its card names no slabs to make")
        image = enface.only(card.slabs)
    explainer = Explainer(checkpoint, config)
    probabilities = explainer.probabilities(image)
    layer, heat = explainer.layer(image), explainer.explain(image)
    by_class = dict(zip(card.classes, probabilities, strict=True))
    prediction = {
        "subject": subject,
        "source": image.source,
        "probabilities": by_class,
        "explained_class": card.classes[config.target_class],
        "map_peak": float(heat.array.max()),
        "layer": layer.name,
        "cell_mm": [round(mm, 4) for mm in layer.cell_mm],
        "surfaces": surfaces.note or "supplied" if surfaces is not None else "none",
        "weights_sha256": card.weights_sha256,
        "trained_with": card.code_version,
        "learnt_from_this_subject": card.has_learnt_from(subject),
    }
    title = f"{subject}: " + ", ".join(f"p({n}) = {p:.2f}" for n, p in by_class.items())
    figure = _draw(image, heat, enface, placed, title)
    return Reading(prediction, image, heat, figure)


def _draw(
    image: Volume | PlaneStack,
    heat: Volume | PlaneStack,
    enface: PlaneStack | None,
    surfaces: PlaneStack | None,
    title: str,
) -> Figure:
    # There is no other eye to share a scale with, and the reader must know: its own maximum may be next to nothing.
    scale, unit = float(heat.array.max()), f"{UNIT}, on this eye's own scale"
    if isinstance(image, Volume) and isinstance(heat, Volume):
        return volume_figure(image, heat, enface, surfaces, None, title=title, scale=scale, unit=unit)
    assert isinstance(image, PlaneStack)
    assert isinstance(heat, PlaneStack)
    return plane_figure(image, heat, title=title, scale=scale, unit=unit)
