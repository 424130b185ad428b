"""What inference cannot explain with is refused before eyes are read."""

from pathlib import Path

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.inference.networks import Network
from octa_kedro.inference.reading import require_explainable
from octa_kedro.training.checkpoint import Checkpoint
from tests.results.test_keys import CARD


def test_methods_that_compare_with_healthy_eyes_are_refused_by_name():
    networks = [Network(Checkpoint({}, CARD), Path("checkpoint.safetensors"), "")]
    require_explainable(networks, ExplainConfig())
    with pytest.raises(
        ConfigError, match="method_3d is donor_gradients, which needs healthy donor eyes, but inference"
    ):
        require_explainable(networks, ExplainConfig(method_3d="donor_gradients"))
