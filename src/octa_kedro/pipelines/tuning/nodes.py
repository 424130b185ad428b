"""The node that searches for one model's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.tuning.config import TuningConfig

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint
    from octa_kedro.tuning.study import StudyFile

SPLITS, PRETRAINED = "splits", "pretrained"


@node_function
def search(
    images: Mapping[str, Stored],
    study: StudyFile,
    config: Mapping[str, Any],
    processing: ProcessingConfig,
    tuning: TuningConfig,
    **by_fold: pd.DataFrame | Checkpoint | None,
) -> tuple[pd.DataFrame, dict[str, Any], Figure, str]:
    """Images and fold tables -> trials, best parameters, figure, report; keywords are ``splits__fold_<k>`` and
    ``pretrained__fold_<k>``.

    `config` is the model's parameters as they were given: what follows from some of them must follow anew from those
    that are drawn.
    """
    import pandas as pd

    from octa_kedro.errors import ConfigError
    from octa_kedro.training.checkpoint import Checkpoint
    from octa_kedro.tuning.figure import result_figure
    from octa_kedro.tuning.search import search_parameters

    if not isinstance(config, Mapping):
        raise ConfigError(f"run the search for {study.model} by itself: kedro run --pipelines tuning")
    tables = [given for given in by_fold.values() if isinstance(given, pd.DataFrame)]
    encoders = {given.card.fold: given for given in by_fold.values() if isinstance(given, Checkpoint)}
    found = search_parameters(
        study, images, tables, parameters=config, processing=processing, tuning=tuning, pretrained=encoders
    )
    return found.trials, found.best, result_figure(found, study.model, tuning), found.report
