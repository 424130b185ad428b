"""Checkpoints in the catalog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.errors import CheckpointError, ConfigError, DataError
from octa_kedro.io.notes import read_note
from octa_kedro.io.seals import PARAMETERS, Made, digest

if TYPE_CHECKING:
    from octa_kedro.inference.networks import ModelFolder
    from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard


class ModelFolderDataset(AbstractVersionedDataset["NoReturn", "ModelFolder"]):
    """The folder of an environment's models, from which an inference takes its networks; there is nothing to save.

    `folds` x `repeats` folds (``auto``: as many as are there) with `seeds` networks each belong to a model, the newest
    of each unless a load version is asked for. Paths that a run names are relative to the folder `relative_to`.
    Versions newer than `until`, which a run sets to its own, are not taken.
    """

    until: str | None = None

    def __init__(
        self,
        *,
        filepath: str,
        relative_to: Mapping[str, str],
        folds: int | Literal["auto"],
        repeats: int = 1,
        seeds: int = 1,
        environment: str = "",
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        # Kedro makes a nested `path` relative to the project, and no other key
        self._base = Path(relative_to["path"])
        self._folds = None if folds == "auto" else folds * repeats
        self._seeds = seeds
        self._environment = environment
        self.metadata = metadata

    def load(self) -> ModelFolder:
        """The folder, also where nothing has been trained yet."""
        from octa_kedro.inference.networks import ModelFolder

        version = self._version.load if self._version else None
        return ModelFolder(
            Path(self._filepath), self._base, self._folds, self._environment, version, self.until, self._seeds
        )

    def save(self, data: NoReturn) -> None:
        """Refused: ConfigError."""
        raise ConfigError(f"{self._filepath}: trainings save their own checkpoints; no node can save this folder")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "folds": self._folds, "seeds": self._seeds, "version": self._version}


class CheckpointDataset(VersionedFile["Checkpoint", "Checkpoint | None"]):
    """Weights (safetensors) with their card (JSON beside them), which names what they were made from.

    With `optional`, loading gives None where nothing has been saved yet: a network that does not start
    from pre-trained weights can then be trained without them.
    """

    def __init__(
        self,
        *,
        filepath: str,
        optional: bool = False,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, version=version, metadata=metadata)
        self._optional = optional

    def load(self) -> Checkpoint | None:
        """The checkpoint; CheckpointError if it is damaged or not there."""
        from octa_kedro.training.checkpoint import load_checkpoint

        try:
            checkpoint = load_checkpoint(Path(self._get_load_path()))
        except VersionNotFoundError:
            if self._optional:
                self.made = None
                return None
            raise CheckpointError(f"{self._filepath}: no checkpoint there; train one first (kedro run)") from None
        card = checkpoint.card
        # weights to start from may come from other images and splits, as long as no judged eye is among them
        self.made = Made(card.weights_sha256, {} if card.kind == "encoder" else card.made_from, name=card.saved_as)
        return checkpoint

    def save(self, data: Checkpoint) -> None:
        """Write weights and card."""
        from octa_kedro.training.checkpoint import save_checkpoint

        made_from = {**self.made_from, **self._settings(data.card)}
        card = data.card.model_copy(update={"made_from": made_from, "saved_as": self.known_as})
        save_checkpoint(Path(self._get_save_path()), replace(data, card=card))

    def _settings(self, card: CheckpointCard) -> dict[str, str]:
        """The hash of the parameters that the training depends on, under the name of its model: all folds of a model
        must have the same."""
        from octa_kedro.training.engine.loop import WITHOUT_EFFECT

        left_out = {*WITHOUT_EFFECT, "device"}
        plain = {key: value for key, value in card.parameters.items() if key not in left_out}
        model = self.known_as.rpartition(".fold_")[0] or self.known_as.partition(".")[0]
        return {f"{PARAMETERS}{model}": digest(json.dumps(plain, sort_keys=True).encode())} if model else {}

    def _stated_hash(self, path: Path) -> str:
        try:
            return str(read_note(path.with_suffix(".json")).get("weights_sha256", ""))
        except DataError:
            return ""

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"optional": self._optional}
