"""What is known of a network before it is trained."""

from typing import Any

from octa_kedro.errors import ConfigError
from octa_kedro.models.factory import build_model
from octa_kedro.models.sizes import require_input
from octa_kedro.preprocessing.config import AUTO, ProcessingConfig
from octa_kedro.training.config import TrainingConfig


def describe_network(
    config: TrainingConfig, processing: ProcessingConfig, start_weights: str, *, who: str
) -> dict[str, Any]:
    """Architecture, dimensions, number of weights (without the classes of the cohort: with those of the parameters) and
    what the network starts from. ConfigError that names the network `who` if it cannot take images of the processing's
    grid."""
    grid = processing.grid
    if grid != AUTO:
        x, y, z = (int(n) for n in grid)
        try:
            require_input(config.model, (y, x) if config.model.spatial_dims == 2 else (z, y, x))
        except ConfigError as error:
            raise ConfigError(f"comparison: {who}: {error}") from error
    start = config.start.weights if config.start.weights != "pretraining" else start_weights
    return {
        "network": config.model.canonical_name,
        "spatial_dims": config.model.spatial_dims,
        "start_weights": start,
        "parameters": sum(weights.numel() for weights in build_model(config.model).parameters()),
        "slabs": list(config.slabs),
    }
