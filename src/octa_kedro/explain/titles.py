"""What stands over the picture of an eye: whose it is, what is true, and what a network says."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from octa_kedro.io.volume import Laterality

SIDES = {"OD": "right eye", "OS": "left eye"}


def eye_title(row: Mapping[Any, Any], *, model: str, threshold: float, laterality: str | None) -> str:
    """Truth and prediction told apart, of a row of predictions: subject, disease, target, probability.

    An eye is predicted diseased from `threshold` on, as everywhere in the evaluation. `model` is a readable name.
    """
    probability = float(row["probability"])
    diseased = probability >= threshold
    verdict = "correct" if diseased == bool(row["target"]) else "WRONG"
    side = f" ({SIDES[laterality]})" if laterality in SIDES else ""
    by = f" by the {model}" if model else ""
    word = "disease" if diseased else "no disease"
    return (
        f"{row['subject']}{side}   true: {row['disease']}  \N{MIDDLE DOT}  predicted{by}: {word}, "
        f"p(disease) = {short_probability(probability)}, {verdict}"
    )


def short_probability(probability: float) -> str:
    """Two digits, without a 0 or 1 that is none: .93, < .01, > .99."""
    if 0 < probability < 0.005:
        return "< .01"
    if 0.995 <= probability < 1:
        return "> .99"
    return f"{probability:.2f}".removeprefix("0")


def explained_words(layer: Mapping[str, Any]) -> str:
    """What maps described by `Explainer.describe` are evidence for, in words."""
    target = layer["target_class"]
    if isinstance(target, int):
        return f"evidence for the class {layer['classes'][target]}"
    return f"of each eye evidence for the class that it is predicted to be ({', '.join(layer['classes'])})"


def strength_words(heat: NDArray, scale: float) -> str:
    """How strong the map is beside the colour bar's end."""
    return (
        f" The map's strongest evidence is {100 * float(heat.max()) / scale:.0f} % of the colour bar."
        if scale > 0
        else ""
    )


def ends_of_x(laterality: Laterality | None, mirrored: bool | None) -> tuple[str, str] | None:
    """The letters at the low and the high end of x: T(emporal) and N(asal), or None where that is not known.

    In the frame of `io.volume` x runs temporal to nasal in a right eye (OD), and in a left one (OS) once it is
    mirrored. Whether it is, `mirrored` says; for a left eye, None is not known.
    """
    if laterality == "OD" or (laterality == "OS" and mirrored):
        return "T", "N"
    return ("N", "T") if laterality == "OS" and mirrored is False else None
