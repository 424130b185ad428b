"""A checkpoint: weights as safetensors, and beside them a JSON card that describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from octa_kedro.cohort.leak import person_of
from octa_kedro.config import Config, first_problem
from octa_kedro.errors import CheckpointError, DataError
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.messages.words import first_words
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.preprocessing.sketch import rank_alike
from octa_kedro.training.data.config import ViewsConfig
from octa_kedro.training.familiar import Familiar
from octa_kedro.training.state.state_file import write_tensors

REMEDY = "restore both files of the checkpoint from a copy, or train again"


class CheckpointCard(Config):
    """Everything needed to use the weights, and to know which subjects they have learnt from.

    `fold` and `seed` (1, 2, ...) say which training of its model it is; `parameters` are those that all of them share,
    so that the random numbers were drawn with ``parameters.seed + seed - 1``. `seen` lists subjects by what they were
    used for (training, validation, pretraining); `patients` says whose eyes they are, for those that are not patients
    of their own. With `patches` the network sees pieces of maps; over `views` its probabilities are averaged.
    `familiar` says what its training eyes looked like; None, as in cards of earlier versions, that this is not known.
    `sketches` (`preprocessing.sketch`) are those of the images that moved the weights, by subject, to know such an
    image again under another name. `made_from` has the hashes of the datasets that the training read, of what they were
    made from, and of its parameters, by name; `saved_as` is the checkpoint's own name in the catalog.
    """

    kind: Literal["classifier", "encoder"]
    model: ModelConfig
    processing: ProcessingConfig
    slabs: tuple[str, ...] = ()
    patches: PatchConfig | None = None
    views: ViewsConfig = ViewsConfig()
    classes: tuple[str, ...] = ()
    fold: int
    seed: int = Field(1, ge=1)
    epoch: int
    metrics: dict[str, float]
    seen: dict[str, tuple[str, ...]]
    patients: dict[str, str] = Field({})
    familiar: Familiar | None = None
    sketches: dict[str, str] = Field({})
    parameters: dict[str, Any]
    code_version: str
    made_from: dict[str, str] = Field({})
    saved_as: str = ""
    weights_sha256: str = ""

    def learnt_from(self) -> set[str]:
        """Subjects whose images moved the weights, in training or pre-training."""
        return {*self.seen.get("training", ()), *self.seen.get("pretraining", ())}

    def has_learnt_from(self, subject: str, patients: Mapping[str, str] | None = None) -> bool:
        """Whether an image of `subject`, or of another eye of its patient, moved the weights.

        `patients` says what is known elsewhere of whose eyes the subjects are. Where it contradicts the card, both
        count: the eye, or the table, may be another clinic's.
        """
        known = (self.patients, patients or {})

        def people(one: str) -> set[str]:
            return {person_of(one, of) for of in known if one in of} or {person_of(one, {})}

        return not people(subject).isdisjoint({person for one in self.learnt_from() for person in people(one)})

    def learnt_copy_of(self, views: Sequence[str]) -> tuple[str, float]:
        """The subject whose image moved the weights and is most like the image with these sketches, and their estimated
        correlation; no subject and 0 where the card knows no images."""
        return next(iter(rank_alike(views, self.sketches)), ("", 0.0))

    def seen_table(self) -> pd.DataFrame:
        """What the weights have seen, one row per subject and use: fold, seed, subject, patient, used_for."""
        rows = [
            (self.fold, self.seed, subject, self.patients.get(subject, subject), used_for)
            for used_for, subjects in self.seen.items()
            for subject in subjects
        ]
        return pd.DataFrame(rows, columns=["fold", "seed", "subject", "patient", "used_for"])


@dataclass(frozen=True)
class Checkpoint:
    """Weights by name and their card."""

    weights: dict[str, torch.Tensor]
    card: CheckpointCard


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write ``<name>.json`` beside `path` and then `path` itself (safetensors), each atomically.

    The weights are written last, so that the card beside them always fits.
    """

    def write_card(partial: Path) -> None:
        card = checkpoint.card.model_copy(update={"weights_sha256": sha256_of(partial)})
        write_note(path.with_suffix(".json"), card.model_dump(mode="json"))

    weights = {name: tensor.contiguous() for name, tensor in checkpoint.weights.items()}
    write_tensors(path, weights, before=write_card)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote; CheckpointError if a file is missing or damaged, or if the two do not belong
    together."""
    path = Path(path)
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.is_file():
            raise CheckpointError(f"{needed}: no such file; a checkpoint is a .safetensors file with a .json beside it")
    try:
        card = CheckpointCard.model_validate(read_note(card_path, remedy=REMEDY))
    except DataError as error:
        raise CheckpointError(str(error)) from error
    except ValidationError as error:
        raise CheckpointError(f"{card_path}: {first_problem(error, CheckpointCard)}") from error
    if card.weights_sha256 != sha256_of(path):
        raise CheckpointError(f"{path}: is not the file that {card_path.name} describes; {REMEDY}")
    try:
        return Checkpoint(load_file(path), card)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({first_words(error)})") from error


def restore_model(checkpoint: Checkpoint) -> torch.nn.Module:
    """The classifier of a checkpoint, in evaluation mode; CheckpointError unless every weight fits."""
    if checkpoint.card.kind != "classifier":
        raise CheckpointError(f"a checkpoint of kind {checkpoint.card.kind!r} cannot classify; give a classifier's")
    model = build_model(checkpoint.card.model)
    try:
        model.load_state_dict(checkpoint.weights, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"weights do not fit {checkpoint.card.model.name}: {first_words(error)}") from error
    return model.eval()
