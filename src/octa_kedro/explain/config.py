"""Parameters of explanation."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from octa_kedro.config import Config

MethodName = Literal[
    "grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam", "gradient_x_input", "smooth_grad",
    "integrated_gradients", "occlusion", "donor_gradients", "donor_swap", "slab_occlusion", "slab_shapley",
]  # fmt: skip
"""The methods of `explain.methods.METHODS`; written out, since naming them must not import torch. A test compares."""


class ExplainConfig(Config):
    """What is explained, how, and how finely.

    `target_class` is the index of the class whose evidence is mapped, `method_3d` and `method_2d` name the method for
    volumes and for en-face maps. Lengths are in millimetres; where one is None, it is so many voxels of the axis:

    * Methods of activation look at `layers`: names, or ``auto``: the last layer whose cells are at most
      `depth_cell_mm` deep (3D) or `lateral_cell_mm` wide (2D), or simply the last where that is None.
    * Methods of gradients take `steps` gradients (integrated gradients, SmoothGrad) and are smoothed by gaussians with
      the standard deviations `smooth_depth_mm` and `smooth_lateral_mm` (2 voxels; 0: not at all).
    * Integrated gradients and occlusion compare with the eye blurred in plane by `baseline_blur_mm` (8 voxels).
    * Occlusion's and donor swap's blocks are `occlusion_depth_mm` deep and `occlusion_lateral_mm` wide (8 voxels).
    * Methods that compare with healthy eyes take at most so many `donors` from the development eyes; the swap of blocks
      takes one.

    `lesion_slabs` says in which slab a disease's lesions lie, and `finding_names` what the values of lesion masks
    mean, for scoring.
    """

    target_class: int = Field(1, ge=0)
    method_3d: MethodName = "integrated_gradients"
    method_2d: MethodName = "grad_cam"
    layers: Literal["auto"] | tuple[str, ...] = "auto"
    depth_cell_mm: PositiveFloat | None = 0.1
    lateral_cell_mm: PositiveFloat | None = 0.4
    steps: PositiveInt = 4
    smooth_depth_mm: NonNegativeFloat | None = None
    smooth_lateral_mm: NonNegativeFloat | None = None
    baseline_blur_mm: PositiveFloat | None = None
    smooth_grad_noise: PositiveFloat = 0.1
    occlusion_depth_mm: PositiveFloat | None = None
    occlusion_lateral_mm: PositiveFloat | None = None
    donors: PositiveInt = 4
    lesion_slabs: dict[str, str] = Field({"DR": "ILM_OPL", "RVO": "ILM_OPL", "CNV": "OPL_BM", "CSC": "OPL_BM"})
    finding_names: dict[int, str] | None = None
    device: str = "auto"


NOT_IN_MAPS = {
    "device": "says where a map is computed, not what it shows",
    "donors": "says how many donors are looked for; a map of a method that needs some is named by which they are",
    "lesion_slabs": "is for scoring maps only",
    "finding_names": "is for scoring maps only",
}
"""Parameters that change no map; every other one, also one that is added later, makes other maps."""
