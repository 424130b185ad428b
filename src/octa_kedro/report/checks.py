"""What maps are worth, and which slabs carried the decisions, as parts of the page."""

from collections.abc import Sequence
from pathlib import Path

from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.slab_text import NOTHING, CarriedDisease
from octa_kedro.report.sections import Picture, Section, Table

CHECKED = (
    "On a few held-out eyes: does the network use what its maps mark more than other places of the retina, and do the "
    "maps change when the network forgets what it has learnt?"
)
CARRIED = (
    "Each slab of an eye is exchanged for that of healthy eyes, in all combinations: its Shapley value is what it adds "
    "to the network's margin for the class, in logit. Unlike a map it says nothing of places within the slab."
)


def check_section(said: Sequence[str], figure: Path) -> Section:
    """What the checks of maps conclude (`checks_text.conclusions`), and the curves of the randomised weights."""
    title = "What are the maps worth?"
    if not said:
        why = "No held-out eye of the explained class is classified correctly, or explainability.checked_eyes is 0."
        return Section(title, [f"Maps were not checked. {why}"])
    words = "Likeness to the map of the trained network, while its weights are made random layer by layer."
    return Section(title, [CHECKED, *said], pictures=[Picture(figure, words)])


def decision_section(found: Sequence[CarriedDisease], level: float) -> Section:
    """Shapley values of the slabs by disease."""
    title = "Which slabs carried the decisions?"
    if not found:
        return Section(title, [f"{NOTHING[0].upper()}{NOTHING[1:]}."])
    tables = [
        Table(
            ("slab", f"share of what speaks for the class [{100 * level:g} %]", "mean value, logit"),
            [
                (row["slab"], format_interval(row["share"], row["low"], row["high"]), f"{row['value']:+.2f}")
                for row in one.slabs.to_dict("records")
            ],
            title=f"{one.disease}, {one.eyes} held-out eyes",
            note=one.sentence,
        )
        for one in found
    ]
    return Section(title, [CARRIED], tables=tables)
