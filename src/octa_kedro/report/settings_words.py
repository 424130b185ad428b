"""How maps were made, in words."""

from collections.abc import Callable, Mapping
from typing import Any

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.gradients import BLUR_VOXELS
from octa_kedro.explain.methods import METHODS, SMOOTH_VOXELS, Method
from octa_kedro.explain.occlusion import BLOCK_VOXELS
from octa_kedro.explain.titles import explained_words

NOISY = frozenset({"smooth_grad", "donor_smooth_grad"})
STEPPED = NOISY | {"integrated_gradients", "donor_gradients"}
BLURRED = frozenset({"integrated_gradients", "occlusion"})
IN_BLOCKS = frozenset({"occlusion", "donor_swap"})
Uses = Callable[[str, Method], bool]
NAMES: Mapping[str, tuple[str, Uses, str, float | None]] = {
    "steps": ("Gradients per map", lambda name, _: name in STEPPED, "{}", None),
    "smooth_depth_mm": ("Smoothed in depth", lambda _, method: method.smoothed, "{} mm", SMOOTH_VOXELS),
    "smooth_lateral_mm": ("Smoothed laterally", lambda _, method: method.smoothed, "{} mm", SMOOTH_VOXELS),
    "baseline_blur_mm": ("Compared with the eye blurred by", lambda name, _: name in BLURRED, "{} mm", BLUR_VOXELS),
    "donors": ("Compared with healthy eyes, at most", lambda _, method: "donors" in method.needs, "{}", None),
    "smooth_grad_noise": ("Noise added, of the image's range", lambda name, _: name in NOISY, "{}", None),
    "occlusion_depth_mm": ("Height of the blocks", lambda name, _: name in IN_BLOCKS, "{} mm", BLOCK_VOXELS),
    "occlusion_lateral_mm": ("Width of the blocks", lambda name, _: name in IN_BLOCKS, "{} mm", BLOCK_VOXELS),
    "layers": ("Layer", lambda _, method: method.layers, "{}", None),
}
"""Parameter -> what it is called, which methods use it, its unit, and how many voxels stand for null."""


def settings_of(layer: Mapping[str, Any], config: ExplainConfig) -> list[tuple[str, str]]:
    """What a reader has to know of the method (name, value); `layer` as of `Explainer.describe`."""
    name = str(layer["method"])
    facts = [("Method", str(layer["title"])), ("Maps show", explained_words(layer))]
    if layer["note"]:
        facts.append(("Note", str(layer["note"])))
    for parameter, (words, used, unit, voxels) in NAMES.items():
        if used(name, METHODS[name]):
            value = layer["layer"] if parameter == "layers" else getattr(config, parameter)
            facts.append((words, f"{voxels} voxels" if value is None else unit.format(value)))
    um = [f"{1000 * float(mm):.0f}" for mm in layer["cell_mm"]]
    return [*facts, ("Finest detail", f"{um[0]} \N{MICRO SIGN}m deep, {um[-1]} \N{MICRO SIGN}m wide")]
