"""Class activation maps whose channels are weighted by what the network says when it sees one of them, or all but one.

pytorch-grad-cam has both, but for 2D images only: its Score-CAM up-samples two axes (and stretches cells to the edges,
holding all masked images in memory), its Ablation-CAM repeats four axes. That one also sets channels to -1e7 where
any activation is negative, and divides by the score, which turns the sign of the map where the margin is negative.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.cams import fuse
from octa_kedro.explain.layers import Layer, upsample_cells
from octa_kedro.explain.request import MapRequest, require_effect

BATCH = 8


def score_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Score-CAM (Wang et al. 2020, arXiv 1910.01279) of one image ``(1, C, [D,] H, W)``: channels weighted by the
    softmax of what the margin gains over a black image when the image is seen through the channel, scaled to [0, 1].

    A softmax is never negative, so the map is one of activations, more of those that speak for the class. Channels
    that are the same everywhere show no place and have no weight.
    """

    def weigh(layer: Layer, activations: torch.Tensor) -> torch.Tensor:
        low, high = (getattr(activations.flatten(1), end)(1) for end in ("amin", "amax"))
        varied = torch.nonzero(high > low)[:, 0]
        weights = torch.zeros(len(activations), device=image.device)
        if len(varied):
            unit = (activations - _spread(low, activations)) / _spread(high - low, activations)
            black = request.margin(torch.zeros_like(image))
            gains = _in_batches(varied, lambda some: request.margin(image * _masks(unit[some], layer, image)) - black)
            require_effect(gains)
            weights[varied] = torch.softmax(gains, 0)
        return weights

    return _weighted(request, image, weigh)


def ablation_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Ablation-CAM (Desai and Ramaswamy 2020, doi 10.1109/WACV45572.2020.9093360) of one image ``(1, C, [D,] H, W)``:
    channels weighted by what the margin loses when they are set to 0.

    The paper divides this by the margin; here it stays in logits, so that maps of different eyes can be compared.
    """

    def weigh(layer: Layer, activations: torch.Tensor) -> torch.Tensor:
        def without(some: torch.Tensor) -> torch.Tensor:
            def ablate(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
                kept = output.clone()
                kept[torch.arange(len(some)), some] = 0
                return kept

            handle = layer.module.register_forward_hook(ablate)
            try:
                return request.margin(image.expand(len(some), *image.shape[1:]))
            finally:
                handle.remove()

        whole = request.margin(image)
        losses = _in_batches(torch.arange(len(activations), device=image.device), lambda some: whole - without(some))
        require_effect(losses)
        return losses

    return _weighted(request, image, weigh)


def _weighted(
    request: MapRequest, image: torch.Tensor, weigh: Callable[[Layer, torch.Tensor], torch.Tensor]
) -> NDArray[np.float32]:
    """The positive part of the sum of a layer's channels ``(channels, [d,] h, w)`` by their weights ``(channels,)``."""

    def cells(layer: Layer) -> NDArray[np.float32]:
        seen: list[torch.Tensor] = []
        handle = layer.module.register_forward_hook(lambda _m, _i, output: seen.append(output[0].clone()))
        try:
            request.model(image)
        finally:
            handle.remove()
        (activations,) = seen
        return torch.tensordot(weigh(layer, activations), activations, dims=1).cpu().numpy()

    with torch.no_grad():
        return fuse(request, image, cells)


def _in_batches(channels: torch.Tensor, ask: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    return torch.cat([ask(some) for some in channels.split(BATCH)])


def _masks(unit: torch.Tensor, layer: Layer, image: torch.Tensor) -> torch.Tensor:
    """Channels in [0, 1] on the image's grid, ``(N, 1, [D,] H, W)``."""
    shape = tuple(image.shape[2:])
    masks = [upsample_cells(one.cpu().numpy(), shape, layer.stride, layer.offset) for one in unit]
    return torch.from_numpy(np.stack(masks))[:, None].to(image.device)


def _spread(values: torch.Tensor, over: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *(1,) * (over.ndim - 1))
