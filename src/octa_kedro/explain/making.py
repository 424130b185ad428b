"""The map of one eye, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

from octa_kedro.errors import ConfigError
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.target import facts_of
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

MAP = "map"


def map_parts(explainers: Sequence[Explainer], image: Stored, _parts: Sequence[str]) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye for the class of the configuration, with the facts
    of `target.facts_of`."""
    target = explainers[0].target
    if target is None:
        raise ConfigError("explainability.target_class: which class is predicted is known to predicted_map_parts alone")
    return map_for(explainers, image, target)


def map_for(explainers: Sequence[Explainer], image: Stored, target: int) -> dict[str, Result]:
    """The same for the class with index `target`."""
    facts = facts_of(target, explainers[0].checkpoint.card.classes)
    return {MAP: Result(mean_map(explainers, image(), target), facts=facts)}
