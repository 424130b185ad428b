"""Class activation maps in two and three dimensions, raw and on the input's grid, by pytorch-grad-cam.

Each function takes one image ``(1, C, [D,] H, W)`` and returns non-negative evidence ``([D,] H, W)`` in units of logit
times activation per cell, not scaled; of several layers the mean, each per voxel instead of per cell.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import nn

from octa_kedro.explain.layers import Layer, upsample_cells
from octa_kedro.explain.request import MapRequest, require_gradient


def grad_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391): channels weighted by their mean gradient."""
    return _of_layers(GradCAM, request, image)


def grad_cam_pp(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Grad-CAM++ (Chattopadhyay et al. 2018, arXiv 1710.11063)."""
    return _of_layers(_PlusPlus, request, image)


def hires_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """HiResCAM (Draelos and Carin 2020, arXiv 2011.08891): gradient times activation, cell by cell."""
    return _of_layers(HiResCAM, request, image)


def layer_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """LayerCAM (Jiang et al. 2021): positive gradient times activation, cell by cell."""
    return _of_layers(LayerCAM, request, image)


def xgrad_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """XGrad-CAM (Fu et al. 2020, arXiv 2008.02312): gradients weighted by normalised activations."""
    return _of_layers(XGradCAM, request, image)


def eigen_cam(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Eigen-CAM (Muhammad and Yeasin 2020, arXiv 2008.00299): the first principal component of the activations. It
    knows of no class."""
    return _of_layers(_Eigen, request, image)


def fuse(
    request: MapRequest, image: torch.Tensor, cells: Callable[[Layer], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The positive part of what `cells` returns for a layer ``([d,] h, w)``, on the image's grid ``([D,] H, W)``; of
    several layers the mean, each per voxel instead of per cell."""
    shape = tuple(image.shape[2:])
    maps = [upsample_cells(np.maximum(cells(layer), 0), shape, layer.stride, layer.offset) for layer in request.layers]
    if len(maps) == 1:
        return maps[0]
    per_voxel = [one / math.prod(layer.stride) for one, layer in zip(maps, request.layers, strict=True)]
    return np.mean(per_voxel, axis=0, dtype=np.float32)


def _of_layers(method: type[BaseCAM], request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    return fuse(request, image, lambda layer: _cells(method, request, layer, image))


def _cells(method: type[BaseCAM], request: MapRequest, layer: Layer, image: torch.Tensor) -> NDArray[np.float32]:
    """Only what lies behind the layer is differentiated, the rest of the network runs forward alone."""
    start = layer.module.register_forward_hook(_start_gradients)  # before the method's hooks, which must see its result
    cam = method(request.model, [layer.module])
    try:
        recorder = cam.activations_and_grads
        with torch.enable_grad():
            logits = recorder(image.to(cam.device))
            request.model.zero_grad()
            request.of_logits(logits).sum().backward()
        require_gradient(recorder.gradients[0])
        activations, gradients = recorder.activations[0].numpy(), recorder.gradients[0].numpy()
        return np.asarray(cam.get_cam_image(image, layer.module, [], activations, gradients, False)[0], np.float32)
    finally:
        start.remove()
        cam.activations_and_grads.release()


class _PlusPlus(GradCAMPlusPlus):
    """Weights by equation 19 of the paper with nothing added: the library adds 1e-6 to squares of gradients, which at
    gradients per cell of 1e-3 and less outweighs them."""

    def get_cam_weights(
        self, input_tensor: object, target_layers: object, targets: object, activations: NDArray, grads: NDArray
    ) -> NDArray:
        axes = tuple(range(2, grads.ndim))
        alpha = 1 / np.where(grads > 0, 2 + activations.sum(axis=axes, keepdims=True) * grads, np.inf)
        return (alpha * np.maximum(grads, 0)).sum(axis=axes)


class _Eigen(EigenCAM):
    """The library's, from the covariance of the channels: its singular value decomposition makes a matrix of cells by
    cells, gigabytes for a fine layer of a volume, and leaves the sign to chance. Here the end of the component that is
    farther from the mean is positive (Chung and Ying 2025, doi 10.3390/app15137562, equation 13)."""

    def get_cam_image(self, *given: Any) -> NDArray:
        activations = np.asarray(given[3])  # (1, channels, [d,] h, w)
        channels = activations[0].reshape(activations.shape[1], -1).astype(np.float64)
        centred = channels - channels.mean(axis=1, keepdims=True)
        _, vectors = np.linalg.eigh(centred @ centred.T)
        component = vectors[:, -1] @ centred
        sign = -1 if -component.min() > component.max() else 1
        return (sign * component).reshape(1, *activations.shape[2:])


def _start_gradients(_module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    """A layer's output from which gradients are taken; a copy, since the next layer may work in place."""
    return output.detach().requires_grad_().clone()
