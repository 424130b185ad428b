"""How maps were made, in words."""

from collections.abc import Mapping
from typing import Any

from octa_kedro.explain.config import ExplainConfig

GRADIENTS = frozenset({"integrated_gradients", "smooth_grad", "gradient_x_input"})
CAMS = frozenset({"grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam"})
BLURRED = frozenset({"integrated_gradients", "occlusion"})
NAMES = {
    "steps": ("Gradients per map", GRADIENTS - {"gradient_x_input"}, "{}"),
    "smooth_depth_mm": ("Smoothed in depth", GRADIENTS, "{} mm"),
    "smooth_lateral_mm": ("Smoothed laterally", GRADIENTS, "{} mm"),
    "baseline_blur_mm": ("Compared with the eye blurred by", BLURRED, "{} mm"),
    "smooth_grad_noise": ("Noise added", frozenset({"smooth_grad"}), "{}"),
    "occlusion_depth_mm": ("Height of the blocks", frozenset({"occlusion"}), "{} mm"),
    "occlusion_lateral_mm": ("Width of the blocks", frozenset({"occlusion"}), "{} mm"),
    "layers": ("Layer", CAMS, "{}"),
}
"""Parameter -> what it is called, the methods that use it, and its unit."""
VOXELS = {"baseline_blur_mm": 8, "occlusion_depth_mm": 8, "occlusion_lateral_mm": 8}
"""How many voxels stand for null; 2 of all others."""


def settings_of(layer: Mapping[str, Any], config: ExplainConfig) -> list[tuple[str, str]]:
    """What a reader has to know of the method (name, value); `layer` as of `Explainer.describe`."""
    method = str(layer.get("method", config.method_3d))
    facts = [("Method", str(layer.get("title", method))), ("Explained class", _class_words(config.target_class))]
    for name, (words, methods, unit) in NAMES.items():
        if method in methods:
            value = layer["layer"] if name == "layers" else getattr(config, name)
            facts.append((words, f"{VOXELS.get(name, 2)} voxels" if value is None else unit.format(value)))
    if cell := layer.get("cell_mm"):
        um = [f"{1000 * float(mm):.0f}" for mm in cell]
        facts.append(("Finest detail", f"{um[0]} \N{MICRO SIGN}m deep, {um[-1]} \N{MICRO SIGN}m wide"))
    return facts


def _class_words(number: Any) -> str:
    known = {0: "0 (normal)", 1: "1 (diseased)"}
    return known.get(number, str(number)) if isinstance(number, int) else str(number)
