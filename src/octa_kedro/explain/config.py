"""Parameters of explanation."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from octa_kedro.config import Config
from octa_kedro.identifiers import class_word

MethodName = Literal[
    "grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam", "score_cam", "ablation_cam",
    "gradient_x_input", "smooth_grad", "integrated_gradients", "occlusion", "guided_backprop", "guided_grad_cam",
    "donor_smooth_grad", "donor_gradients", "donor_swap", "slab_occlusion", "slab_shapley",
]  # fmt: skip
"""The methods of `explain.methods.METHODS`; written out, since naming them must not import torch. A test compares."""

AUTO: Literal["auto"] = "auto"
WITH_DONORS: MethodName = "donor_smooth_grad"
WITHOUT_DONORS: MethodName = "integrated_gradients"
"""The methods of 3D maps that AUTO stands for: where all eyes have surfaces and healthy donors, and elsewhere."""

SMOOTH_VOXELS, BLUR_VOXELS, BLOCK_VOXELS = 3, 8, 8
"""So many voxels stand for a length that is None: of smoothing, of the blur in plane, of the edges of blocks."""

PREDICTED = "predicted"
"""The class to explain: of each eye the one that the mean of its networks predicts."""


class ExplainConfig(Config):
    """What is explained, how, and how finely.

    `target_class` is the class whose evidence is mapped: its index, its name on the checkpoint's card, or PREDICTED.
    `method_3d` and `method_2d` name the method for volumes and for en-face maps; AUTO is WITH_DONORS where it can be,
    else WITHOUT_DONORS. Lengths are in millimetres; where one is None, it is so many voxels of the axis:

    * Methods of activation look at `layers`: names, or ``auto``: the last layer whose cells are at most
      `depth_cell_mm` deep (3D) or `lateral_cell_mm` wide (2D), or simply the last where that is None.
    * Methods of gradients take `steps` gradients, SmoothGrad with noise of `smooth_grad_noise` of the image's range.
      They are smoothed by gaussians with the standard deviations `smooth_depth_mm` and `smooth_lateral_mm` (3 voxels;
      0: not at all).
    * Integrated gradients and occlusion compare with the eye blurred in plane by `baseline_blur_mm` (8 voxels).
    * Occlusion's and donor swap's blocks are `occlusion_depth_mm` deep and `occlusion_lateral_mm` wide (8 voxels).
    * Methods that compare with healthy eyes take at most so many `donors` from the development eyes; the swap of blocks
      takes one.

    `checked_eyes` held-out eyes of each disease are used to check what maps are worth (`checks`); 0 checks nothing.
    `lesion_slabs` says in which slab a disease's lesions lie, and `finding_names` what the values of lesion masks
    mean, for scoring.
    """

    target_class: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)] = 1
    method_3d: MethodName | Literal["auto"] = AUTO
    method_2d: MethodName = "grad_cam"
    layers: Literal["auto"] | tuple[str, ...] = "auto"
    depth_cell_mm: PositiveFloat | None = 0.1
    lateral_cell_mm: PositiveFloat | None = 0.4
    steps: PositiveInt = 4
    smooth_depth_mm: NonNegativeFloat | None = None
    smooth_lateral_mm: NonNegativeFloat | None = None
    baseline_blur_mm: PositiveFloat | None = None
    smooth_grad_noise: PositiveFloat = 0.05
    occlusion_depth_mm: PositiveFloat | None = None
    occlusion_lateral_mm: PositiveFloat | None = None
    donors: PositiveInt = 4
    lesion_slabs: dict[str, str] = Field({"DR": "ILM_OPL", "RVO": "ILM_OPL", "CNV": "OPL_BM", "CSC": "OPL_BM"})
    finding_names: dict[int, str] | None = None
    checked_eyes: NonNegativeInt = 3
    device: str = "auto"

    @field_validator("lesion_slabs")
    @classmethod
    def _disease_words(cls, slabs: dict[str, str]) -> dict[str, str]:
        return {class_word(disease): slab for disease, slab in slabs.items()}

    def settled(self, *, donors: bool) -> Self:
        """With the method of 3D maps named, where it is AUTO."""
        if self.method_3d != AUTO:
            return self
        return self.model_copy(update={"method_3d": WITH_DONORS if donors else WITHOUT_DONORS})


_LAYERS: tuple[MethodName, ...] = (
    "grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam", "score_cam", "ablation_cam",
    "guided_grad_cam",
)  # fmt: skip
_SMOOTHED: tuple[MethodName, ...] = (
    "gradient_x_input", "smooth_grad", "integrated_gradients", "guided_backprop", "guided_grad_cam",
    "donor_smooth_grad", "donor_gradients",
)  # fmt: skip
_BLOCKS: tuple[MethodName, ...] = ("occlusion", "donor_swap")
USED_BY: dict[str, tuple[MethodName, ...]] = {
    **dict.fromkeys(("layers", "depth_cell_mm", "lateral_cell_mm"), _LAYERS),
    **dict.fromkeys(("smooth_depth_mm", "smooth_lateral_mm"), _SMOOTHED),
    "steps": ("smooth_grad", "integrated_gradients", "donor_smooth_grad", "donor_gradients"),
    "smooth_grad_noise": ("smooth_grad", "donor_smooth_grad"),
    "baseline_blur_mm": ("integrated_gradients", "occlusion"),
    **dict.fromkeys(("occlusion_depth_mm", "occlusion_lateral_mm"), _BLOCKS),
}
"""The methods that look at a parameter, for those that not all look at; a test compares with `explain.methods`.
`donors` is not among them: the checks of maps compare with healthy eyes whatever the method."""


NOT_IN_MAPS = {
    "device": "says where a map is computed, not what it shows",
    "donors": "says how many donors are looked for; a map of a method that needs some is named by which they are",
    "lesion_slabs": "is for scoring maps only",
    "finding_names": "is for scoring maps only",
    "checked_eyes": "is for checking maps only",
}
"""Parameters that change no map; every other one, also one that is added later, makes other maps."""
