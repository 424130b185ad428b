"""Where a training keeps what it needs to go on after an interruption."""

import fcntl
import json
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
from octa_kedro.training.state.state_file import load_state, save_state

STATE, LOCK, ABOUT, FAILURE = "state.safetensors", ".lock", "about.json", "failure.json"


@dataclass(frozen=True)
class Workspace:
    """A folder with a folder for each training, named by a key of everything that training is made from."""

    folder: Path
    lasting: bool = True

    @contextmanager
    def opened(self, key: str, about: dict[str, Any]) -> Iterator["Bench"]:
        """The folder of one training, held against other processes; `about` says in JSON what it is for.

        Trainings that have ended are cleared away when another one begins; what was interrupted stays. ConfigError
        if another process is at this very training.
        """
        bench = Bench(self.folder / key[:16], self.lasting)
        bench.folder.mkdir(parents=True, exist_ok=True)
        with (bench.folder / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(
                    f"{bench.folder}: another process is at this training; wait for it or end it"
                ) from error
            write_text(bench.folder / ABOUT, json.dumps(about, indent=1))
            self._clear_ended(bench)
            yield bench

    def _clear_ended(self, current: "Bench") -> None:
        for other in (Bench(path) for path in self.folder.iterdir() if path.is_dir() and path != current.folder):
            if other.ended:
                shutil.rmtree(other.folder, ignore_errors=True)


@dataclass(frozen=True)
class Bench:
    """The files of one training: its state after the last epoch, and the weights of the best one."""

    folder: Path
    lasting: bool = True

    @property
    def ended(self) -> bool:
        """Whether that training is complete."""
        return (self.folder / "ended").is_file()

    def begun(self) -> dict[str, Any] | None:
        """The state after the last whole epoch; None if there is none. CheckpointError if it is damaged."""
        path = self.folder / STATE
        return load_state(path) if path.is_file() else None

    def keep(self, state: dict[str, Any], best: dict[str, torch.Tensor] | None) -> None:
        """Store the state after an epoch and, if they are new, the best weights so far; each whole or not at all.

        The weights come first, under their epoch's number, and the state says which number counts: whatever is cut
        short, the state that is found fits the weights that are found.
        """
        path = self._best(state["stopping"]["best_epoch"])
        if best is not None:
            save_state(path, best)
        save_state(self.folder / STATE, state)
        for other in self.folder.glob("best-*.safetensors"):
            if other != path:
                other.unlink(missing_ok=True)

    def end(self, state: dict[str, Any]) -> None:
        """Keep only what the result is made of: history and best weights."""
        save_state(self.folder / STATE, {name: state[name] for name in ("epoch", "rows", "stopping")})
        write_text(self.folder / "ended", "")

    def best_weights(self) -> dict[str, torch.Tensor]:
        """The weights of the best epoch."""
        state = self.begun()
        if state is None:
            raise CheckpointError(f"{self.folder}: holds no training")
        return load_state(self._best(state["stopping"]["best_epoch"]))

    def clear(self) -> None:
        """Forget everything, so that the training starts anew."""
        for path in self.folder.iterdir():
            if path.name not in {LOCK, ABOUT}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _best(self, epoch: int) -> Path:
        return self.folder / f"best-{epoch:04d}.safetensors"


@contextmanager
def workspace_or_passing(workspace: Workspace | None) -> Iterator[Workspace]:
    """The workspace, or for want of one a folder that is gone afterwards."""
    if workspace is not None:
        yield workspace
        return
    with TemporaryDirectory(prefix="octa_kedro-") as folder:
        yield Workspace(Path(folder), lasting=False)
