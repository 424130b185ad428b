"""How maps were made, in words."""

from collections.abc import Mapping
from typing import Any

from octa_kedro.explain.config import BLOCK_VOXELS, BLUR_VOXELS, SMOOTH_VOXELS, ExplainConfig
from octa_kedro.explain.titles import explained_words

NAMES: Mapping[str, tuple[str, str, int | None]] = {
    "steps": ("Gradients per map", "{}", None),
    "smooth_depth_mm": ("Smoothed in depth", "{} mm", SMOOTH_VOXELS),
    "smooth_lateral_mm": ("Smoothed laterally", "{} mm", SMOOTH_VOXELS),
    "baseline_blur_mm": ("Compared with the eye blurred by", "{} mm", BLUR_VOXELS),
    "donors": ("Compared with healthy eyes, at most", "{}", None),
    "smooth_grad_noise": ("Noise added, of the image's range", "{}", None),
    "occlusion_depth_mm": ("Height of the blocks", "{} mm", BLOCK_VOXELS),
    "occlusion_lateral_mm": ("Width of the blocks", "{} mm", BLOCK_VOXELS),
    "layers": ("Layer", "{}", None),
}
"""Parameter -> what it is called, its unit, and how many voxels stand for None."""


def settings_of(layer: Mapping[str, Any], config: ExplainConfig) -> list[tuple[str, str]]:
    """What a reader has to know of the method (name, value); `layer` as of `Explainer.describe`."""
    facts = [("Method", str(layer["title"])), ("Maps show", explained_words(layer))]
    if layer["note"]:
        facts.append(("Note", str(layer["note"])))
    for parameter in layer["parameters"]:
        words, unit, voxels = NAMES[parameter]
        value = layer["layer"] if parameter == "layers" else getattr(config, parameter)
        facts.append((words, f"{voxels} voxels" if value is None else unit.format(value)))
    um = [f"{1000 * float(mm):.0f}" for mm in layer["cell_mm"]]
    return [*facts, ("Finest detail", f"{um[0]} \N{MICRO SIGN}m deep, {um[-1]} \N{MICRO SIGN}m wide")]
