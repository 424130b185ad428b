"""Node that turns raw scans into NIfTI files."""

import pandas as pd

from octa_kedro.cohort.table import CohortConfig
from octa_kedro.io.source import Source
from octa_kedro.preprocessing import recipes
from octa_kedro.results.store import Batch, ExecutionConfig


def convert_volumes(source: Source, cohort: pd.DataFrame, config: CohortConfig, execution: ExecutionConfig) -> Batch:
    """Raw scans -> one NIfTI volume per eye and modality, with true spacing."""
    return Batch(recipes.conversions(source, cohort["subject"].astype(str), config.modalities), execution)
