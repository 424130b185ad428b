"""Nodes that plan a phantom cohort (its eyes are rendered when they are written) and draw one eye of each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.pipelines.node_function import node_function

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from octa_kedro.io.release_writer import PhantomCohort


@node_function
def plan_phantom(config: PhantomConfig) -> PhantomCohort:
    """Parameters -> label sheet and a recipe for every eye."""
    from octa_kedro.phantom.cohort import cohort_recipes

    return cohort_recipes(config)


@node_function
def draw_gallery(config: PhantomConfig) -> Figure:
    """Parameters -> one eye of each disease in one picture; none of them is in the cohort."""
    from octa_kedro.phantom.gallery import phantom_gallery

    return phantom_gallery(config)
