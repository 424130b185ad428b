"""The study of a hyper-parameter search in the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset

from octa_kedro.errors import DataError

if TYPE_CHECKING:
    from octa_kedro.tuning.study import StudyFile


class StudyDataset(AbstractDataset[None, "StudyFile"]):
    """An SQLite file of Optuna's, named and not read: a search opens it, writes every trial at once, and goes on from
    it when it is run again. Hence it has no versions; what a search has found has.
    """

    def __init__(self, *, filepath: str, model: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self._model = Path(filepath), model
        self.metadata = metadata

    def load(self) -> StudyFile:
        """The file's place, also where there is no file yet."""
        from octa_kedro.tuning.study import StudyFile

        return StudyFile(self._path, self._model)

    def save(self, data: None) -> NoReturn:
        """Refused: a search writes to it as it goes."""
        raise DataError(f"{self._path}: a study is written by its search, not by the catalog")

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path), "model": self._model}
