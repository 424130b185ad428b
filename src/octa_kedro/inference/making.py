"""What networks say of one eye, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.predicted import predicted_class, probabilities
from octa_kedro.explain.target import facts_of
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

READING = "reading"
PROBABILITIES, LAYER, SLABS = "probabilities", "layer", "slabs"  # facts of a reading


def reading_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, _parts: Sequence[str]
) -> dict[str, Result]:
    """The mean of the networks' raw maps of one eye, as the mission takes it, with facts: PROBABILITIES (a list per
    network, a number per class), the LAYER that the map was taken from, its method and what speaks against it, the
    SLABS that a 2D network saw, and those of `target.facts_of`. `threshold` is as of
    `explain.predicted.predicted_map_parts`."""
    shares, seen = probabilities(explainers, image), image()
    how, target = explainers[0].describe(seen), explainers[0].target
    target = predicted_class(shares, threshold) if target is None else target
    facts = {
        PROBABILITIES: shares.tolist(),
        LAYER: {"method": how["method"], "name": how["layer"], "cell_mm": how["cell_mm"], "note": how["note"]},
        SLABS: list(explainers[0].checkpoint.card.slabs),
        **facts_of(target, explainers[0].checkpoint.card.classes),
    }
    return {READING: Result(mean_map(explainers, seen, target), facts=facts)}
