"""A raw scan as a volume to take away."""

from collections.abc import Sequence

from octa_kedro.io.source import Source
from octa_kedro.results.result import Result

VOLUME = "volume"


def convert_scan(source: Source, subject: str, modality: str, _parts: Sequence[str]) -> dict[str, Result]:
    """The scan of one modality, as the source has it, with its true spacing."""
    return {VOLUME: Result(source.volume(subject, modality))}
