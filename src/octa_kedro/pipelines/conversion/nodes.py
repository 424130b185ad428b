"""Node that turns raw scans into NIfTI files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.io.source import Source
    from octa_kedro.results.recipe import Job


@node_function
def convert_volumes(source: Source, cohort: pd.DataFrame, config: CohortConfig, execution: ExecutionConfig) -> Job:
    """Raw scans -> one NIfTI volume per eye and modality, with true spacing."""
    from octa_kedro.preprocessing import recipes
    from octa_kedro.preprocessing.conversion import VOLUME
    from octa_kedro.results.recipe import Job

    conversions = recipes.conversions(
        source, cohort["subject"].astype(str), config.modalities, on_error=execution.on_error
    )
    return Job(conversions, VOLUME, execution)
