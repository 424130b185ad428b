"""What networks say of one eye, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored
from octa_kedro.training.predict import class_probabilities

READING = "reading"
PROBABILITIES, LAYER, SLABS = "probabilities", "layer", "slabs"  # facts of a reading


def reading_parts(
    explainers: Sequence[Explainer], subject: str, image: Stored, _parts: Sequence[str]
) -> dict[str, Result]:
    """The mean of the networks' raw maps of one eye, as the mission takes it, with facts: PROBABILITIES (a list per
    network, a number per class), the LAYER that the map was taken from and its method, and the SLABS that a 2D
    network saw."""
    shares = [
        class_probabilities(one.model, one.checkpoint.card, {subject: image}, [subject], device=one.config.device)[0]
        for one in explainers
    ]
    seen = image()
    how = explainers[0].describe(seen)
    facts = {
        PROBABILITIES: [share.tolist() for share in shares],
        LAYER: {"method": how["method"], "name": how["layer"], "cell_mm": how["cell_mm"]},
        SLABS: list(explainers[0].checkpoint.card.slabs),
    }
    return {READING: Result(mean_map(explainers, seen), facts=facts)}
