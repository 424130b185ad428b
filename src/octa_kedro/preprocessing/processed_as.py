"""The proof that a stored image was made with the processing that is asked for."""

from collections.abc import Mapping

from octa_kedro.errors import ConfigError
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.stored import Stored

PROCESSING_KEY = "processing"  # under which a stored image's facts hold its ProcessingConfig


def require_processed_as(images: Mapping[str, Stored], config: ProcessingConfig, *, who: str) -> None:
    """ConfigError if an image was stored with other processing parameters than `config`, which `who` goes by."""
    wanted = config.model_dump(mode="json")
    for subject, stored in images.items():
        made = stored.meta.get(PROCESSING_KEY, wanted)
        if made != wanted:
            key = next(key for key in wanted if made.get(key) != wanted[key])
            raise ConfigError(
                f"subject {subject}: its image was made with processing.{key} = {made.get(key)}, but {who} goes by "
                f"{wanted[key]}; run data_processing again, or give the parameters of the version you load"
            )
