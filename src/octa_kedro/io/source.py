"""The interface of every source of scans, whatever its file format."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd
from numpy.typing import NDArray

from octa_kedro.io.volume import PlaneStack, Volume


class Source(Protocol):
    """A set of eyes on disk that is read one eye at a time.

    A reader that inherits from it returns None for what its layout does not have. All arrays of one eye have the
    volume's orientation: x and y of a map or a mask are x and y of the scan.
    """

    @abstractmethod
    def subjects(self) -> list[str]:
        """Identifiers of all eyes that have a volume, sorted."""

    def unlisted(self) -> Sequence[str]:
        """Names of files in its folder that could be eyes but are in no row of its table."""
        return ()

    @abstractmethod
    def labels(self) -> pd.DataFrame:
        """One row per labelled eye with the string columns ``subject`` and ``disease``; DataError if there is no table.

        Optional columns: ``laterality`` (OD, OS or empty), ``patient`` (eyes of one patient must stay together in
        a split), ``split`` (train, validation or test), ``sex``, ``age``.
        """

    def patients(self) -> dict[str, str]:
        """Subject -> the person whose eye it is, labelled or not, for the eyes of which the source says so."""
        return {}

    @abstractmethod
    def check(self, subject: str, modality: str) -> dict[str, float]:
        """Check an eye's files, if possible without decoding them; returns its measures for the cohort table.

        Returns ``field_of_view_mm``, ``width``, ``n_bscans`` and ``depth``. DataError names what is missing
        or does not agree.
        """

    @abstractmethod
    def volume(self, subject: str, modality: str) -> Volume:
        """The whole unprocessed scan, checked by `io.volume.require_usable`."""

    def dimensions(self, subject: str, modality: str) -> tuple[tuple[int, ...], tuple[float, float, float]]:
        """Shape in voxels and size in millimetres of the whole scan along (x, y, z), from its header if possible."""
        volume = self.volume(subject, modality)
        return volume.array.shape, volume.extent_mm

    @abstractmethod
    def fingerprint(self, subject: str, *modalities: str) -> str:
        """Hash of everything that `surfaces`, `lesion` and the volumes of `modalities` of this eye depend on."""

    def scan_files(self, subject: str, modality: str) -> Sequence[Path]:
        """The files that hold the volume of `modality` and nothing of another eye; none if that is not known."""
        return ()

    def drawn_files(self, subject: str) -> Mapping[str, Path]:
        """The files of what was drawn in this eye's scan, ``surfaces`` and ``lesion``, each where there is one."""
        return {}

    def names(self, subject: str) -> Sequence[str]:
        """What the eye and its files go by: its subject, and names of files with and without folder and ending."""
        return (subject,)

    def called(self, path: Path) -> str:
        """How words that are logged or kept call one of the files."""
        return str(path)

    def surfaces(self, subject: str) -> PlaneStack | None:
        """Depths of the segmented retinal surfaces in millimetres, the uppermost first, or None if there are none."""
        return None

    def lesion(self, subject: str) -> Volume | None:
        """The lesion mask (0 and 1) on the scan's grid, or None if there is none."""
        return None

    def projection(self, subject: str, name: str) -> NDArray | None:
        """A supplied en-face map such as ``OCTA(ILM_OPL)`` as ``[x, y]``, or None if there is none."""
        return None

    def annotation(self, subject: str, kind: str) -> NDArray | None:
        """A supplied en-face label picture such as ``GT_FAZ`` as ``[x, y]`` of class numbers, or None."""
        return None

    def faz_volume(self, subject: str) -> Volume | None:
        """The 3D mask (0 and 1) of the foveal avascular zone on the scan's grid, or None."""
        return None
