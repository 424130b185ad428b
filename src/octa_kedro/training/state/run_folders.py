"""Run folders: where a training keeps what it needs to resume after an interruption."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.io.files import write_text
from octa_kedro.io.notes import write_note
from octa_kedro.training.state.state_file import load_state, save_state

STATE, LOCK, ABOUT, FAILURE = "state.safetensors", ".lock", "about.json", "failure.json"
OF, WEIGHTS = "of", "weights"  # in a file of states: the name of its run folder, and the weights of an epoch


@dataclass(frozen=True)
class RunFolders:
    """A folder that holds one run folder per training, named by the key of all its inputs.

    `saved_as` is the dataset and version (``NAME:VERSION``) to which this run saves the weights, if that is known.
    """

    folder: Path
    lasting: bool = True
    saved_as: str | None = None

    @contextmanager
    def opened(self, key: str, about: dict[str, Any]) -> Iterator["RunFolder"]:
        """The folder of one training run, locked against other processes; `about` is written there as JSON.

        Folders of finished runs are deleted when another run starts; those of interrupted runs stay. ConfigError if
        another process holds the lock of this run.
        """
        run_folder = RunFolder(self.folder / key[:16], self.lasting)
        run_folder.path.mkdir(parents=True, exist_ok=True)
        with (run_folder.path / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(
                    f"{run_folder.path}: another process is running this training; wait for it or stop it"
                ) from error
            write_note(run_folder.path / ABOUT, about)
            self._clear_ended(run_folder)
            yield run_folder

    def _clear_ended(self, current: "RunFolder") -> None:
        for other in (RunFolder(path) for path in self.folder.iterdir() if path.is_dir() and path != current.path):
            if other.ended:
                shutil.rmtree(other.path, ignore_errors=True)


@dataclass(frozen=True)
class RunFolder:
    """The files of one training run: its state after the last epoch, and the weights of the best epoch."""

    path: Path
    lasting: bool = True

    @property
    def ended(self) -> bool:
        """Whether the run is complete."""
        return (self.path / "ended").is_file()

    def stored_state(self) -> dict[str, Any] | None:
        """The state after the last complete epoch; None if there is none. CheckpointError if it is damaged, or that of
        another training: its network may have learnt from the eyes that judge this one."""
        path = self.path / STATE
        return self._load(path) if path.is_file() else None

    def _load(self, path: Path) -> dict[str, Any]:
        whole = load_state(path)
        if not isinstance(whole, dict) or whole.get(OF) != self.path.name:
            raise CheckpointError(
                f"{path}: is of another training, not of that in this folder; restore it from a copy, or delete "
                f"{self.path} and train from the start"
            )
        return whole

    def _save(self, path: Path, content: dict[str, Any]) -> None:
        save_state(path, content | {OF: self.path.name})

    def keep(self, state: dict[str, Any], best: dict[str, torch.Tensor] | None) -> None:
        """Store the state after an epoch and, if they are new, the best weights so far; each file atomically.

        The weights are written first, in a file named by their epoch, and the state names that epoch. So the stored
        state always fits the stored weights, wherever writing was interrupted.
        """
        path = self._best(state["stopping"]["best_epoch"])
        if best is not None:
            self._save(path, {WEIGHTS: best})
        self._save(self.path / STATE, state)
        for other in self.path.glob("best-*.safetensors"):
            if other != path:
                other.unlink(missing_ok=True)

    def end(self, state: dict[str, Any]) -> None:
        """Mark the run as complete, and then keep only history and best weights: the other way round, one that is
        killed in between could neither resume nor count as complete."""
        write_text(self.path / "ended", "")
        self._save(self.path / STATE, {name: state[name] for name in ("epoch", "rows", "stopping")})

    def best_weights(self) -> dict[str, torch.Tensor]:
        """The weights of the best epoch."""
        state = self.stored_state()
        if state is None:
            raise CheckpointError(f"{self.path}: holds no stored training")
        return self._load(self._best(state["stopping"]["best_epoch"]))[WEIGHTS]

    def clear(self) -> None:
        """Delete everything stored, so that the training starts anew."""
        for path in self.path.iterdir():
            if path.name not in {LOCK, ABOUT}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _best(self, epoch: int) -> Path:
        return self.path / f"best-{epoch:04d}.safetensors"


@contextmanager
def run_folders_or_temporary(run_folders: RunFolders | None) -> Iterator[RunFolders]:
    """`run_folders`, or where it is None a temporary folder that is deleted at the end."""
    if run_folders is not None:
        yield run_folders
        return
    with TemporaryDirectory(prefix="octa_kedro-") as folder:
        yield RunFolders(Path(folder), lasting=False)
