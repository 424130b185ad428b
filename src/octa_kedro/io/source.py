"""What every data source offers, whatever its files look like."""

from typing import Protocol

import pandas as pd

from octa_kedro.io.volume import PlaneStack, Volume


class Source(Protocol):
    """A set of eyes on disk that is read one eye at a time."""

    def subjects(self) -> list[str]:
        """Identifiers of all eyes that have a volume, sorted."""

    def labels(self) -> pd.DataFrame:
        """One row per labelled eye with a string column ``subject``; DataError if there is no such table."""

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """Look at an eye's files without decoding them; its measures for the cohort table.

        Returns ``field_of_view_mm``, ``width``, ``n_bscans`` and ``depth``. DataError names what is missing
        or does not fit together.
        """

    def volume(self, subject: str, modality: str) -> Volume:
        """The whole scan, unprocessed."""

    def surfaces(self, subject: str) -> PlaneStack | None:
        """Depths of the segmented retinal surfaces in millimetres, or None if the source has none."""

    def lesion(self, subject: str) -> Volume | None:
        """The lesion mask (0 and 1) on the scan's grid, or None if the source has none."""

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """Hash of all that `surfaces`, `lesion` and the volumes of `modalities` of this eye depend on."""
