"""Class activation maps in two and three dimensions, raw and on the input's grid, by pytorch-grad-cam.

Each function takes one image ``(1, C, [D,] H, W)`` and returns non-negative evidence ``([D,] H, W)`` in units of logit
times activation per cell, not scaled; of several layers the mean, each per voxel instead of per cell.
"""

import math

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
    return _of_layers(GradCAMPlusPlus, request, image)


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
    return _of_layers(EigenCAM, request, image)


def _of_layers(method: type[BaseCAM], request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    maps = [_of_layer(method, request, layer, image) for layer in request.layers]
    if len(maps) == 1:
        return maps[0]
    per_voxel = [one / math.prod(layer.stride) for one, layer in zip(maps, request.layers, strict=True)]
    return np.mean(per_voxel, axis=0, dtype=np.float32)


def _of_layer(method: type[BaseCAM], request: MapRequest, layer: Layer, image: torch.Tensor) -> NDArray[np.float32]:
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
        cells = cam.get_cam_image(image, layer.module, [], activations, gradients, False)[0]
    finally:
        start.remove()
        cam.activations_and_grads.release()
    return upsample_cells(np.maximum(cells, 0), tuple(image.shape[2:]), layer.stride, layer.offset)


def _start_gradients(_module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    """A layer's output from which gradients are taken; a copy, since the next layer may work in place."""
    return output.detach().requires_grad_().clone()
