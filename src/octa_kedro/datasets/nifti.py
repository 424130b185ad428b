"""A single volume or map as a NIfTI file in the catalog."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version

if TYPE_CHECKING:
    from octa_kedro.io.volume import PlaneStack, Volume


class NiftiDataset(AbstractVersionedDataset["Volume | PlaneStack", "Volume"]):
    """One NIfTI file; planes are saved as slices along the third axis and load as a Volume."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> Volume:
        """Array and affine; the other fields of the Volume are not in the file."""
        from octa_kedro.io.nifti import read_volume

        return read_volume(Path(self._get_load_path()))

    def save(self, data: Volume | PlaneStack) -> None:
        """Written whole or not at all."""
        from octa_kedro.io.nifti import write_nifti

        write_nifti(Path(self._get_save_path()), data.array, data.affine)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
