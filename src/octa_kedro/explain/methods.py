"""The table of explanation methods: name -> function. To add one, write its function and give it a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain import cams, channels, gradients, guided, occlusion, slab_methods, swaps
from octa_kedro.explain.config import SMOOTH_VOXELS
from octa_kedro.explain.request import MapRequest
from octa_kedro.explain.smoothing import smooth


@dataclass(frozen=True)
class Method:
    """How evidence is found, and how it is told.

    `function` takes a request and one image ``(1, C, [D,] H, W)`` and returns evidence for the class ``([D,] H, W)``,
    which may be negative. Methods that look at `layers` have maps as coarse as these; the others have one voxel as
    their finest detail, and are `smoothed` by `explainability.smooth_depth_mm` and `smooth_lateral_mm`. A `warning`
    says what is known against a method; it is logged and stands beside its maps. What a method `needs` beside the image
    (`MapRequest.anatomy`), an eye in 3D may have: the eye's slabs, or healthy donors. `settings` are the parameters
    that it looks at beside those that follow from all this.
    """

    function: Callable[[MapRequest, torch.Tensor], NDArray[np.float32]]
    title: str
    layers: bool = False
    smoothed: bool = False
    warning: str | None = None
    needs: tuple[Literal["slabs", "donors"], ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """The parameters of explanation that its maps depend on, but for the class."""
        smoothing = ("smooth_depth_mm", "smooth_lateral_mm") if self.smoothed else ()
        return [
            *self.settings,
            *smoothing,
            *(["donors"] if "donors" in self.needs else []),
            *(["layers"] * self.layers),
        ]

    def __call__(self, request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
        """Evidence for the class, not negative, larger = more; raw, not scaled."""
        evidence = np.maximum(self.function(request, image), 0)
        if not self.smoothed:
            return evidence
        sigma = request.voxels(request.config.smooth_depth_mm, request.config.smooth_lateral_mm, SMOOTH_VOXELS)
        return smooth(evidence, request.tissue(image), sigma)


NOISY, BLOCKS = ("steps", "smooth_grad_noise"), ("occlusion_depth_mm", "occlusion_lateral_mm")

METHODS: Mapping[str, Method] = {
    "grad_cam": Method(cams.grad_cam, "Grad-CAM", layers=True),
    "grad_cam_pp": Method(cams.grad_cam_pp, "Grad-CAM++", layers=True),
    "hires_cam": Method(cams.hires_cam, "HiResCAM", layers=True),
    "layer_cam": Method(cams.layer_cam, "LayerCAM", layers=True),
    "xgrad_cam": Method(cams.xgrad_cam, "XGrad-CAM", layers=True),
    "eigen_cam": Method(cams.eigen_cam, "Eigen-CAM", layers=True),
    "score_cam": Method(channels.score_cam, "Score-CAM", layers=True),
    "ablation_cam": Method(channels.ablation_cam, "Ablation-CAM", layers=True),
    "gradient_x_input": Method(gradients.gradient_x_input, "gradient x input", smoothed=True),
    "smooth_grad": Method(gradients.smooth_grad, "SmoothGrad x input", smoothed=True, settings=NOISY),
    "integrated_gradients": Method(
        gradients.integrated_gradients, "integrated gradients", smoothed=True, settings=("steps", "baseline_blur_mm")
    ),
    "occlusion": Method(occlusion.occlusion, "occlusion by blurred blocks", settings=(*BLOCKS, "baseline_blur_mm")),
    "guided_backprop": Method(
        guided.guided_backprop, "guided backpropagation", smoothed=True, warning=guided.RANDOMISATION
    ),
    "guided_grad_cam": Method(
        guided.guided_grad_cam, "guided Grad-CAM", layers=True, smoothed=True, warning=guided.RANDOMISATION
    ),
    "donor_smooth_grad": Method(
        gradients.donor_smooth_grad,
        "SmoothGrad compared with healthy eyes",
        smoothed=True,
        needs=("donors",),
        settings=NOISY,
    ),
    "donor_gradients": Method(
        gradients.donor_gradients,
        "integrated gradients from healthy eyes",
        smoothed=True,
        needs=("donors",),
        settings=("steps",),
    ),
    "donor_swap": Method(swaps.donor_swap, "blocks swapped with a healthy eye", needs=("donors",), settings=BLOCKS),
    "slab_occlusion": Method(slab_methods.slab_occlusion, "slabs of healthy eyes put in", needs=("slabs", "donors")),
    "slab_shapley": Method(slab_methods.slab_shapley, "Shapley values of slabs", needs=("slabs", "donors")),
}
