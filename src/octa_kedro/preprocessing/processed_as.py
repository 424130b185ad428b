"""The proof that a stored image was made with the processing that is asked for."""

from collections.abc import Mapping

from octa_kedro.errors import ConfigError
from octa_kedro.preprocessing.config import AUTO, ProcessingConfig
from octa_kedro.results.stored import Stored

PROCESSING_KEY = "processing"  # under which a stored image's facts hold its ProcessingConfig
QUALITY = "quality"  # the measures of its scan's quality
REFERENCES = "references"  # the hashes of what it was registered to


def require_processed_as(images: Mapping[str, Stored], config: ProcessingConfig, *, who: str) -> ProcessingConfig:
    """The processing parameters that `images` were stored with: those that `who` goes by, with the grid in numbers.

    A grid that was left to the scans (``auto``) is the images' own, which must be one for all. ConfigError if an image
    was stored with other processing parameters.
    """
    if config.grid == AUTO and images:
        first = next(iter(images.values())).meta.get(PROCESSING_KEY, {})
        config = config.model_copy(update={"grid": tuple(first["grid"])}) if "grid" in first else config
    wanted = config.model_dump(mode="json")
    for subject, stored in images.items():
        made = stored.meta.get(PROCESSING_KEY, wanted)
        if made != wanted:
            key = next(key for key in wanted if made.get(key) != wanted[key])
            raise ConfigError(
                f"subject {subject}: its image was made with processing.{key} = {made.get(key)}, but {who} goes by "
                f"{wanted[key]}; run data_processing again, or give the parameters of the version you load"
            )
    return config
