"""The networks of an inference: found, loaded with where they come from, and in agreement with each other."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octa_kedro.cohort.trainings import numbers_in, place_of
from octa_kedro.errors import CheckpointError
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.io.hiding import relative_to
from octa_kedro.io.seals import PARAMETERS
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard, load_checkpoint

FILE = "checkpoint.safetensors"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A checkpoint, the file it was read from, that file's version (empty where it is outside a catalog), and how
    reports call the file: from the project's folder on, or by its name alone."""

    checkpoint: Checkpoint
    path: Path
    version: str
    called: str = ""

    @property
    def card(self) -> CheckpointCard:
        """What the checkpoint says of itself."""
        return self.checkpoint.card

    def describe(self) -> dict[str, Any]:
        """Which network it is, as plain data."""
        card = self.card
        return {
            "file": self.called or self.path.name,
            "version": self.version,
            "weights_sha256": card.weights_sha256,
            "fold": card.fold,
            "seed": card.seed,
            "epoch": card.epoch,
            "trained_with": card.code_version,
        }


@dataclass(frozen=True)
class ModelFolder:
    """The folder in which an `environment` keeps its models, ``<model>/fold_<n>`` with n from 1 to `folds`, or as many
    as there are where that follows from the data (None); each fold was trained with `seeds` seeds (`place_of`).

    Paths that a parameter names are relative to `base`. With a `version` that one of each training is taken instead of
    the newest; those newer than `until` are left out.
    """

    folder: Path
    base: Path
    folds: int | None
    environment: str
    version: str | None = None
    until: str | None = None
    seeds: int = 1

    def take(self, config: InferenceConfig) -> list[Network]:
        """The networks that `config` asks for, which agree with each other; CheckpointError says what is missing."""
        networks = [
            Network(load_checkpoint(path), path, _version_of(path), relative_to(str(path), self.base))
            for path in self._paths(config)
        ]
        require_agreement(networks)
        if config.checkpoint is None and not isinstance(config.checkpoints, tuple):
            require_one_training(networks)
        return networks

    def _paths(self, config: InferenceConfig) -> list[Path]:
        if config.checkpoint is not None:
            return [self.base / config.checkpoint]
        if config.checkpoints is None:
            return self._of_model(config.model)
        if isinstance(config.checkpoints, tuple):
            return [self.base / path for path in config.checkpoints]
        named = self.base / config.checkpoints
        if named.is_dir():
            return _all_trainings(named, self.version, self.until)
        return [self.base / path for path in _listed(named)]

    def _of_model(self, model: str) -> list[Path]:
        """One file per training of the environment's structure, for more may lie there from a run with more of them."""
        place, folds = self.folder / model, set(range(1, (self.folds or 1) + 1))
        if self.folds is None and place.is_dir():
            there = (_training_of(path) for path in _all_trainings(place, self.version, self.until))
            folds = {numbers[0] for numbers in map(numbers_in, there) if numbers}
        folders = [place / place_of(fold, seed) for seed in range(1, self.seeds + 1) for fold in sorted(folds)]
        found = [_newest(folder, self.version, self.until) for folder in folders]
        if missing := [folder for folder, path in zip(folders, found, strict=True) if path is None]:
            raise CheckpointError(
                f"{missing[0]}: no checkpoint there{f' of version {self.version}' if self.version else ''}, but "
                f"inference reads with all folds and seeds of {model}; train it in this environment first (kedro "
                "run), or name others by --params inference.checkpoint=FILE.safetensors or inference.checkpoints=FOLDER"
            )
        return [path for path in found if path is not None]


def require_agreement(networks: Sequence[Network]) -> None:
    """CheckpointError unless all are classifiers of the same classes, on images made and looked at in one way."""
    for network in networks:
        if network.card.kind != "classifier":
            raise CheckpointError(
                f"{network.path}: a checkpoint of kind {network.card.kind!r} cannot classify; give one of training_2d "
                "or training_3d"
            )
    first, *others = networks
    known: dict[str, Network] = {}
    for network in networks:
        if (same := known.setdefault(network.card.weights_sha256, network)) is not network:
            raise CheckpointError(
                f"{network.path}: the same network as {same.path}, whose word would count twice; name it once"
            )
    wanted = _facts_of(first.card)
    for other in others:
        found = _facts_of(other.card)
        for key, value in wanted.items():
            if found[key] != value:
                raise CheckpointError(
                    f"{other.path}: {key} is {found[key]}, but {value} in {first.path}; the networks of one inference "
                    "must see the same images and know the same classes, so name others (inference.checkpoints)"
                )


def require_one_training(networks: Sequence[Network]) -> None:
    """CheckpointError if the networks of a model's folder, one a fold and seed, were trained with different splits,
    images or parameters: of those that were trained again only some are new."""
    first, *others = networks
    wanted = _trained_with(first.card)
    for other in others:
        found = _trained_with(other.card)
        if differing := sorted(name for name in wanted.keys() & found.keys() if found[name] != wanted[name]):
            raise CheckpointError(
                f"{other.path}: was trained with other {', '.join(differing)} than {first.path}; train all again, "
                "choose the versions of one training (--load-versions inference.models:VERSION), or list the files in "
                "a file of parameters (inference.checkpoints) if they are to speak together all the same"
            )
    for network in networks:
        own = place_of(network.card.fold, network.card.seed)
        if (place := _training_of(network.path)) not in {"", own}:
            raise CheckpointError(f"{network.path}: is the network of {own}, not of {place}; restore its own files")


def _trained_with(card: CheckpointCard) -> dict[str, str]:
    """Hashes of what all trainings of a model share."""
    shared = ("splits", "processed_volumes", "enface_maps")
    return {name: sha for name, sha in card.made_from.items() if name in shared or name.startswith(PARAMETERS)}


def _training_of(path: Path) -> str:
    """The folder (`place_of`) that a checkpoint of a model's folder lies in; empty where it lies elsewhere."""
    return next((part for part in reversed(path.parts) if numbers_in(part)), "")


def processing_of(networks: Sequence[Network]) -> ProcessingConfig:
    """How the images that these networks see are made."""
    return networks[0].card.processing


def _facts_of(card: CheckpointCard) -> dict[str, Any]:
    processing = {f"processing.{key}": value for key, value in card.processing.model_dump(mode="json").items()}
    return processing | {
        "model.spatial_dims": card.model.spatial_dims,
        "slabs": list(card.slabs),
        "classes": list(card.classes),
        "the eye that others are registered to": card.familiar.references if card.familiar is not None else {},
    }


def _all_trainings(folder: Path, version: str | None, until: str | None = None) -> list[Path]:
    """The newest checkpoint of every fold and seed below a model's folder."""
    numbered = sorted(folder.glob("fold_*"), key=lambda path: (len(path.name), path.name))
    found = {path: _newest(path, version, until) for path in numbered}
    if not any(found.values()):
        raise CheckpointError(f"{folder}: no fold_*/{FILE} below it; give a model's folder or a list of files")
    if without := [path.name for path, newest in found.items() if newest is None]:
        log.warning("%s: no checkpoint in %s, inference goes on with the others", folder, ", ".join(without))
    return [path for path in found.values() if path is not None]


def _newest(training: Path, version: str | None, until: str | None = None) -> Path | None:
    """The checkpoint of one training: a file, or the newest (or that) version of one, no newer than `until`."""
    plain = training / FILE
    if plain.is_file():
        return plain
    versions = sorted(path for path in plain.glob(f"{version or '*'}/{FILE}") if path.is_file())
    versions = [path for path in versions if until is None or path.parent.name <= until]
    return versions[-1] if versions else None


def _version_of(path: Path) -> str:
    """Kedro keeps a versioned file as ``name/version/name``."""
    return path.parent.name if path.parent.parent.name == path.name else ""


def _listed(path: Path) -> list[str]:
    """Paths of a file, one a line; dashes before them, as in YAML, and comments are no part of them."""
    if not path.is_file():
        raise CheckpointError(f"inference.checkpoints={path}: neither a folder nor a file that lists checkpoints")
    try:
        lines = [
            line.strip().removeprefix("- ").strip(" '\"") for line in path.read_text(encoding="utf-8").splitlines()
        ]
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not a text file; list .safetensors files, one a line") from error
    if not (listed := [line for line in lines if line and not line.startswith("#")]):
        raise CheckpointError(f"{path}: it lists no checkpoint; name .safetensors files, one a line")
    return listed
