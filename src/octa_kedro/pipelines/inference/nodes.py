"""Node that reads one eye with a trained network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.pipelines.node_function import node_function

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from octa_kedro.io.source import Source
    from octa_kedro.io.volume import PlaneStack, Volume
    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint

log = logging.getLogger(__name__)


@node_function
def infer_eye(
    source: Source,
    checkpoint: Checkpoint,
    references: Mapping[str, Stored],
    config: InferenceConfig,
    explanation: ExplainConfig,
) -> tuple[dict[str, Any], Volume | PlaneStack, Volume | PlaneStack, Figure]:
    """One eye -> prediction, network input, map, figure."""
    from octa_kedro.inference.eye import choose_subject, read_eye

    reading = read_eye(source, choose_subject(source, config.subject), checkpoint, explanation, references)
    log.info("%s", reading.prediction)
    return reading.prediction, reading.image, reading.heat, reading.figure
