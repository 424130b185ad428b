"""The map of one eye, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

MAP = "map"


def map_parts(explainers: Sequence[Explainer], image: Stored, _parts: Sequence[str]) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye."""
    return {MAP: Result(mean_map(explainers, image()))}
