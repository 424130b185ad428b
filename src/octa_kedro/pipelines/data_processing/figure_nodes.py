"""Nodes that draw eyes and what was done to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from octa_kedro.io.source import Source
    from octa_kedro.results.stored import Stored


@node_function
def draw_contact_sheets(
    thumbnails: Mapping[str, Stored], cohort: pd.DataFrame, quality: pd.DataFrame
) -> dict[str, Figure]:
    """Every eye as a small picture with what it is and, if it was left out for its quality, why."""
    from octa_kedro.preprocessing.contact_sheet import contact_sheet, make_cards

    pages = contact_sheet(make_cards(thumbnails, cohort, quality))
    return {f"page_{number}.png": page for number, page in enumerate(pages, start=1)}


@node_function
def draw_steps(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: Mapping[str, Stored],
    references: Mapping[str, Stored],
    config: ProcessingConfig,
    execution: ExecutionConfig,
) -> dict[str, Figure]:
    """One eye of each field of view, step by step."""
    from octa_kedro.preprocessing.steps_figure import steps_figures

    figures = steps_figures(source, cohort, surfaces, references, config, on_error=execution.on_error)
    return {f"{name}.png": figure for name, figure in figures}
