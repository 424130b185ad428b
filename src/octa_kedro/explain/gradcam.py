"""Grad-CAM (Selvaraju et al. 2017) in two and three dimensions, raw and on the input's grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.axes import from_tensor, to_tensor
from octa_kedro.models.stages import cells_of, stages
from octa_kedro.preprocessing.geometry import apply_weights, linear_weights
from octa_kedro.preprocessing.patches import join_patches
from octa_kedro.training.checkpoint import Checkpoint, restore_model
from octa_kedro.training.data.patches import cut_patches
from octa_kedro.training.engine.devices import pick_device


@dataclass(frozen=True)
class Layer:
    """A stage of a network and what one of its cells covers: `stride` input voxels, `cell_mm` millimetres,
    both in tensor order ``([D,] H, W)``. Cell 0 is centred on voxel `offset` of each axis."""

    name: str
    module: nn.Module
    stride: tuple[int, ...]
    cell_mm: tuple[float, ...]
    offset: float = 0.0


class ClassMargin:
    """The explained class's logit minus the mean of the others: adding a constant to all logits, which no
    prediction depends on, changes nothing."""

    def __init__(self, target: int) -> None:
        self.target = target

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        others = (logits.sum(-1) - logits[..., self.target]) / (logits.shape[-1] - 1)
        return logits[..., self.target] - others


def measure_layers(model: nn.Module, shape: Sequence[int], spacing_mm: Sequence[float]) -> list[Layer]:
    """The stages of `model` with their cells, for inputs ``(C, [D,] H, W)`` of `shape` and voxels of
    `spacing_mm` ``([D,] H, W)``. Where the network does not say where its cells lie, strides are powers of two, as each
    stage of a residual network keeps or halves."""
    sizes: dict[str, tuple[int, ...]] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, name=name: sizes.update({name: tuple(out.shape[2:])}))
        for name, module in stages(model).items()
    ]
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model(torch.zeros((1, *shape), device=device))
    finally:
        for handle in handles:
            handle.remove()
    layers, known = [], cells_of(model)
    for name, module in stages(model).items():
        stride = tuple(2 ** round(math.log2(n / m)) for n, m in zip(shape[1:], sizes[name], strict=True))
        if name in known:
            stride = (known[name].stride,) * len(stride)
        cell = tuple(s * mm for s, mm in zip(stride, spacing_mm, strict=True))
        layers.append(Layer(name, module, stride, cell, known[name].offset if name in known else 0.0))
    return layers


def choose_layer(layers: Sequence[Layer], config: ExplainConfig) -> Layer:
    """The last layer whose cells are small enough: in depth for volumes, across for en-face maps.

    The last stage of a ResNet has cells thicker than the retina on most grids and cannot tell depths apart.
    """
    flat = len(layers[0].cell_mm) == 2
    limit = config.lateral_cell_mm if flat else config.depth_cell_mm
    if limit is None:
        return layers[-1]
    fine = [layer for layer in layers if layer.cell_mm[0] <= limit + 1e-9]
    if not fine:
        key = "lateral_cell_mm" if flat else "depth_cell_mm"
        raise ConfigError(
            f"no layer has cells of {limit:g} mm or less (finest: {layers[0].cell_mm[0]:.3f}); raise "
            f"explainability.{key} or use a finer processing.grid"
        )
    return fine[-1]


def upsample_cells(
    cells: NDArray, shape: Sequence[int], stride: Sequence[int], offset: float = 0.0
) -> NDArray[np.float32]:
    """A coarse map linearly interpolated to `shape`, with cell ``i`` centred on input voxel ``i * stride + offset``.

    With offset 0 that is where the receptive field of a stack of odd, symmetrically padded strided convolutions is
    centred; stretching the map to the input's edges instead would move a peak by up to half a cell.
    """
    weights = [
        linear_weights(n, (np.arange(size) - offset) / step)
        for n, size, step in zip(cells.shape, shape, stride, strict=True)
    ]
    return apply_weights(np.asarray(cells, np.float32), [w.astype(np.float32) for w in weights])


def grad_cam(model: nn.Module, layer: Layer, images: torch.Tensor, target_class: int) -> NDArray[np.float32]:
    """Raw Grad-CAM of one image ``(1, C, [D,] H, W)`` as ``([D,] H, W)``: non-negative, larger = more
    evidence for the class; in units of logit times activation per cell, not scaled.

    Only what lies behind the layer is differentiated, the rest of the network runs forward alone."""
    start = layer.module.register_forward_hook(_start_gradients)  # before GradCAM's hooks, which must see its result
    cam = GradCAM(model, [layer.module])
    try:
        recorder = cam.activations_and_grads
        with torch.enable_grad():
            logits = recorder(images.to(cam.device))
            model.zero_grad()
            ClassMargin(target_class)(logits).sum().backward()
        activations, gradients = recorder.activations[0].numpy(), recorder.gradients[0].numpy()
        cells = cam.get_cam_image(images, layer.module, [], activations, gradients)[0]
    finally:
        start.remove()
        cam.activations_and_grads.release()
    return upsample_cells(np.maximum(cells, 0), tuple(images.shape[2:]), layer.stride, layer.offset)


def _start_gradients(_module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    """A layer's output from which gradients are taken; a copy, since the next layer may work in place."""
    return output.detach().requires_grad_().clone()


class Explainer:
    """Maps from one checkpoint; the network is restored once, on first use."""

    def __init__(self, checkpoint: Checkpoint, config: ExplainConfig) -> None:
        self.checkpoint, self.config = checkpoint, config
        self._model: nn.Module | None = None
        self._layers: dict[tuple[tuple[int, ...], tuple[float, ...]], Layer] = {}

    @property
    def model(self) -> nn.Module:
        """The restored classifier on the configured device; its weights are asked for no gradient."""
        if self._model is None:
            self._model = restore_model(self.checkpoint).to(pick_device(self.config.device)).requires_grad_(False)
        return self._model

    def layer(self, image: Volume | PlaneStack) -> Layer:
        """The layer that is looked at for inputs like `image`; its stride is in pixels of what the network sees.

        Measured once for each shape and spacing."""
        seen = self._seen(image)[0]
        shape = tuple(to_tensor(seen, self.checkpoint.card.slabs).shape)
        x, y, z = (float(mm) for mm in np.linalg.norm(seen.affine[:3, :3], axis=0))
        spacing = (z, y, x) if isinstance(seen, Volume) else (y, x)
        if (shape, spacing) not in self._layers:
            self._layers[shape, spacing] = self._choose_layer(shape, spacing)
        return self._layers[shape, spacing]

    def _choose_layer(self, shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> Layer:
        layer = choose_layer(measure_layers(self.model, shape, spacing_mm), self.config)
        classes = self.checkpoint.card.classes
        if self.config.target_class >= len(classes):
            raise ConfigError(
                f"explainability.target_class is {self.config.target_class}, but the network has the classes "
                f"{', '.join(classes)}, counted from 0"
            )
        return layer

    def explain(self, image: Volume | PlaneStack) -> Volume | PlaneStack:
        """The raw map of one eye on its image's grid and affine; of one seen in patches, their maps put together."""
        layer, slabs = self.layer(image), self.checkpoint.card.slabs
        tensors = [to_tensor(seen, slabs)[None] for seen in self._seen(image)]
        maps = [grad_cam(self.model, layer, tensor, self.config.target_class) for tensor in tensors]
        raws = [from_tensor(torch.from_numpy(one)) for one in maps]
        if isinstance(image, Volume):
            return Volume(raws[0], image.affine, "gradcam", image.laterality, image.source)
        x, y = image.array.shape[:2]
        raw = raws[0] if self.checkpoint.card.patches is None else join_patches(np.stack(raws), (x, y))
        return PlaneStack(raw[..., None], image.affine, ("gradcam",), image.laterality, image.source)

    def _seen(self, image: Volume | PlaneStack) -> Sequence[Volume | PlaneStack]:
        """What the network is given of an eye: its image, or its patches."""
        card = self.checkpoint.card
        if card.patches is None or isinstance(image, Volume):
            return (image,)
        return cut_patches(image, card.slabs, card.patches)


def mean_map(explainers: Sequence[Explainer], image: Volume | PlaneStack) -> Volume | PlaneStack:
    """The mean of several networks' raw maps of one eye, as their probabilities are averaged too."""
    maps = [explainer.explain(image) for explainer in explainers]
    average = np.stack([one.array for one in maps]).mean(axis=0, dtype=np.float32)
    if isinstance(maps[0], Volume):
        return maps[0].with_array(average)
    return PlaneStack(average, maps[0].affine, maps[0].names, maps[0].laterality, maps[0].source)
