"""The checks of maps on a sample of held-out eyes, as tables: a row per eye, test and method, or per two maps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.evaluation.predictions import HELD_OUT, patients_behind
from octa_kedro.explain import sanity
from octa_kedro.explain.checks import (
    FAITHFULNESS_COLUMNS,
    CheckedEye,
    Effort,
    heat_of,
    judge_faithfulness,
    map_of_network,
    prepare_eye,
)
from octa_kedro.explain.cohort import judged_eyes
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.context import Contexts
from octa_kedro.explain.controls import Eye, brightness
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.similarity import MEASURES, Mask
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.axes import to_tensor
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard

BRIGHTNESS = "brightness"
CASCADE, EYES, NETWORKS, EYES_AND_NETWORKS = "random weights", "different eyes", "networks", "different eyes, networks"
"""What is compared: a network's map with those of ever more random weights, and its null, maps of different eyes; maps
of one eye by several networks, and its null, maps of different eyes by different networks."""
OF_EYE = ("subject", "patient", "disease", "probability")
PAIR = ("first", "first_seed", "second", "second_seed")
SANITY_COLUMNS = ("comparison", *OF_EYE, "method", "level", "layer", "other", *PAIR, *MEASURES)
MOST_NETWORKS, PAIRS = 3, 20
"""Networks whose maps are compared with each other, pairs of eyes in a null."""
Heats = list[dict[str, NDArray[np.float32]]]


def sample_eyes(
    predictions: pd.DataFrame, config: ExplainConfig, target_class: int | str, threshold: float
) -> pd.DataFrame:
    """The rows of `config.checked_eyes` held-out, correctly classified eyes of every disease of the explained class, or
    of all where there are fewer: always the same ones, drawn at random."""
    usable = judged_eyes(predictions[predictions["part"] == HELD_OUT], target_class, threshold).sort_values("subject")
    drawn = [rows.sample(min(config.checked_eyes, len(rows)), random_state=0) for _, rows in usable.groupby("disease")]
    return pd.concat(drawn, ignore_index=True) if drawn else usable


class CheckedContexts:
    """What is known of each eye: the donors its maps compare with, and another one that takes its tissue's place.

    Where all healthy eyes are donors of the maps there is none: a test with one of them would favour the maps."""

    def __init__(
        self,
        images: Mapping[str, Stored],
        surfaces: Mapping[str, Stored],
        splits: pd.DataFrame,
        explainer: Explainer,
    ) -> None:
        self.surfaces, self.config = surfaces, explainer.config
        mask_slab = explainer.checkpoint.card.processing.mask_slab
        self._contexts = Contexts(images, surfaces, splits, count=self.config.donors + 1, mask_slab=mask_slab)

    def surfaces_of(self, subject: str) -> PlaneStack | None:
        """The surfaces of an eye, None where they are not known."""
        return self.surfaces[subject]() if subject in self.surfaces else None

    def prepare(self, subject: str, volume: Volume, explainer: Explainer, target: int) -> CheckedEye:
        """The eye, ready to be checked."""
        context = self._contexts.of(subject, self.config.method_3d)
        anatomy = replace(context, donors=context.donors[: self.config.donors]).read(volume)
        spare = [healthy.donor for healthy in self._contexts.donors(subject)[len(anatomy.donors) :][-1:]]
        around = self.surfaces_of(subject)
        return prepare_eye(subject, anatomy, around, explainer, spare[0] if spare else None, target=target)


def check_maps(
    eyes: pd.DataFrame,
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    *,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    effort: Effort | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Faithfulness and sanity of the maps of `eyes` (rows of predictions), whom no network has learnt from.

    Faithfulness is that of the first network and its own map, beside BRIGHTNESS and random rankings; its columns are
    OF_EYE and FAITHFULNESS_COLUMNS. Sanity compares two maps a row (SANITY_COLUMNS; `comparison` says which): the first
    network's with that of randomised weights, those of up to MOST_NETWORKS networks of one eye (`first`, `second`:
    their folds; `first_seed`, `second_seed`), and maps of different eyes, `subject` and `other`. Without eyes both
    tables are empty.
    """
    chosen, explainers = effort or Effort(), [Explainer(one, config) for one in checkpoints[:MOST_NETWORKS]]
    contexts = CheckedContexts(images, surfaces, splits, explainers[0])
    faithfulness, compared = [], []
    heats: Heats = [{} for _ in explainers]
    masks: dict[str, Mask] = {}
    for subject, target in zip(eyes["subject"].astype(str), eyes["target"], strict=True):
        eye = contexts.prepare(subject, images[subject](), explainers[0], int(target))
        for of_network, explainer in zip(heats, explainers, strict=True):
            of_network[subject] = heat_of(explainer, eye)
        own: dict[str, NDArray[np.floating]] = {explainers[0].config.method_3d: heats[0][subject]}
        masks[subject] = eye.mask
        bright = to_tensor(brightness(Eye(subject, eye.volume, contexts.surfaces_of(subject))))[0].numpy()
        judged = judge_faithfulness(explainers[0].model, eye, own | {BRIGHTNESS: bright}, chosen)
        faithfulness.append(judged.assign(subject=subject))
        compared.append(cascade(explainers[0], eye, own, chosen))
    if not masks:
        return pd.DataFrame(columns=[*OF_EYE, *FAITHFULNESS_COLUMNS]), pd.DataFrame(columns=list(SANITY_COLUMNS))
    compared += _between_eyes_and_networks(heats, masks, [e.checkpoint.card for e in explainers])
    return (
        _of_eyes(pd.concat(faithfulness, ignore_index=True), eyes, (*OF_EYE, *FAITHFULNESS_COLUMNS)),
        _of_eyes(pd.concat(compared, ignore_index=True), eyes, SANITY_COLUMNS),
    )


def cascade(explainer: Explainer, eye: CheckedEye, known: sanity.Maps, effort: Effort) -> pd.DataFrame:
    """`sanity.randomisation_curve` of one eye's map by a network, `known` as trained by the name of its method."""
    layers = len(sanity.layers_from_top(explainer.model, eye.image))
    methods = dict.fromkeys(known, map_of_network(explainer, eye))
    curve = sanity.randomisation_curve(
        explainer.model, eye.image, methods, eye.mask, levels=min(effort.levels, layers), known=known
    )
    return curve.assign(comparison=CASCADE, subject=eye.subject)


def _between_eyes_and_networks(
    heats: Heats, masks: sanity.Masks, cards: Sequence[CheckpointCard]
) -> list[pd.DataFrame]:
    tables = []
    if len(heats) > 1:
        tables.append(sanity.repeatability(heats, masks, kind=NETWORKS))
        for name in ("first", "second"):
            places = tables[0][name]
            tables[0][name] = places.map({n: card.fold for n, card in enumerate(cards)})
            tables[0][f"{name}_seed"] = places.map({n: card.seed for n, card in enumerate(cards)})
    nulls = {EYES: None, EYES_AND_NETWORKS: heats[1] if len(heats) > 1 else None}
    for kind, others in nulls.items():
        if kind == EYES or others is not None:
            try:
                tables.append(sanity.null_similarity(heats[0], masks, others=others, pairs=PAIRS).assign(kind=kind))
            except DataError:  # a single eye
                continue
    return [table.rename(columns={"kind": "comparison"}) for table in tables]


def _of_eyes(table: pd.DataFrame, eyes: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """`table` with what is known of its subjects, and those of `columns` that it has none of as NaN; an eye without a
    patient is one of its own."""
    known = eyes[["disease", "probability"]].assign(subject=eyes["subject"].astype(str), patient=patients_behind(eyes))
    return table.merge(known, on="subject", how="left").reindex(columns=list(columns))
