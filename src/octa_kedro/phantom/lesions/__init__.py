"""Diseases of the macula at the depths where they lie, with a mask for every lesion."""

from octa_kedro.phantom.lesions.config import LesionConfig, require_fit
from octa_kedro.phantom.lesions.draw import draw_lesions
from octa_kedro.phantom.lesions.model import Disease, Finding, Lesions
from octa_kedro.phantom.lesions.paint import lesion_mask, paint_flow, paint_tissue

__all__ = [
    "Disease",
    "Finding",
    "LesionConfig",
    "Lesions",
    "draw_lesions",
    "lesion_mask",
    "paint_flow",
    "paint_tissue",
    "require_fit",
]
