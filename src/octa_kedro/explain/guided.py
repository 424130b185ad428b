"""Guided backpropagation, and guided Grad-CAM: what other toolboxes show. Both hardly depend on the weights.

The rule is applied to every ReLU that a forward pass calls, as a module or as a function, by a torch function mode: no
module of the network is replaced and no hook is set, so that nothing is left behind whatever happens.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from octa_kedro.errors import ConfigError
from octa_kedro.explain.cams import grad_cam
from octa_kedro.explain.gradients import channels_summed, mean_gradient
from octa_kedro.explain.request import MapRequest

RANDOMISATION = (
    "fails the weight randomisation test (Adebayo et al. 2018): a network with random weights has nearly the same map, "
    "so it shows edges of the image rather than what the network has learnt"
)
OTHER_ACTIVATIONS = {
    "celu", "elu", "elu_", "gelu", "hardswish", "hardtanh", "leaky_relu", "leaky_relu_", "mish", "prelu", "relu6",
    "rrelu", "selu", "silu", "softplus",
}  # fmt: skip
"""For these no guided rule is defined. Sigmoids are not among them: they are gates of networks with ReLUs, too."""


def guided_backprop(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Guided backpropagation (Springenberg et al. 2015, arXiv 1412.6806) of one image ``(1, C, [D,] H, W)``: the
    gradient of the margin, of which every ReLU passes back only what is positive; signed, ``([D,] H, W)``.

    ConfigError for a network whose activations are not ReLU.
    """
    at = image.detach().clone().requires_grad_()
    with torch.enable_grad():
        with _GuidedReLU(type(request.model).__name__) as guided:
            margin = request.margin(at).sum()
        guided.require_relu()
        (gradient,) = torch.autograd.grad(margin, at)
    if not bool(gradient.any()):
        # No ReLU lets evidence for the class pass, or the network does not look at the image at all: that is refused.
        mean_gradient(request, [image])
    return channels_summed(gradient)


def guided_grad_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Guided Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391): guided backpropagation times the Grad-CAM of the
    layers. ConfigError as of `guided_backprop`."""
    guided = guided_backprop(request, image)
    return guided * grad_cam(request, image)


class _Guided(torch.autograd.Function):
    """A ReLU that passes back what is positive; in place where it is called so, since a later layer may rely on it."""

    @staticmethod
    def forward(context: Any, features: torch.Tensor, inplace: bool) -> torch.Tensor:
        if inplace:
            context.mark_dirty(features)
        output = features.relu_() if inplace else features.relu()
        context.save_for_backward(output)
        return output

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (output,) = context.saved_tensors
        return gradients[0].clamp(min=0) * (output > 0), None


class _GuidedReLU(TorchFunctionMode):
    """Within it, every call of a ReLU is a guided one, and an activation without a guided rule is refused."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network, self.found = network, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, named = getattr(func, "__name__", ""), dict(kwargs or {})
        if name in OTHER_ACTIVATIONS:
            raise ConfigError(self._refusal(f"has the activation {name.rstrip('_')}"))
        if name not in {"relu", "relu_"}:
            return func(*args, **named)
        self.found = True
        features = args[0] if args else named["input"]
        inplace = name == "relu_" or bool(args[1] if len(args) > 1 else named.get("inplace", False))
        return _Guided.apply(features, inplace)

    def require_relu(self) -> None:
        """ConfigError where no ReLU was called."""
        if not self.found:
            raise ConfigError(self._refusal("has no ReLU"))

    def _refusal(self, why: str) -> str:
        return (
            f"guided_backprop and guided_grad_cam are methods that this network cannot have: {self.network} {why}, and "
            "they are defined for ReLU alone; choose another explainability.method_3d or method_2d"
        )
