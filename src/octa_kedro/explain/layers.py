"""The layers of a network that maps of activation are taken from, and their cells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.models.stages import cells_of, stages
from octa_kedro.preprocessing.geometry import apply_weights, linear_weights

FEWEST_CELLS = 4
"""Along an axis; of fewer, up-sampling makes a map of broad ramps and of plateaus at the borders."""


@dataclass(frozen=True)
class Layer:
    """A stage of a network and what one of its cells covers: `stride` input voxels, `cell_mm` millimetres,
    both in tensor order ``([D,] H, W)``. Cell 0 is centred on voxel `offset` of each axis; there are `cells`
    along each."""

    name: str
    module: nn.Module
    stride: tuple[int, ...]
    cell_mm: tuple[float, ...]
    offset: float = 0.0
    cells: tuple[int, ...] = ()


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
        offset = known[name].offset if name in known else 0.0
        layers.append(Layer(name, module, stride, cell, offset, sizes[name]))
    return layers


def choose_layers(layers: Sequence[Layer], config: ExplainConfig) -> list[Layer]:
    """The `layers` that are looked at: those that the configuration names or, with ``auto``, the last one whose cells
    are small enough, in depth for volumes, across for en-face maps.

    The last stage of a ResNet has cells thicker than the retina on most grids and cannot tell depths apart.
    ConfigError for a name that no layer has, and where none is fine enough.
    """
    if config.layers != "auto":
        known = {layer.name: layer for layer in layers}
        unknown = [name for name in config.layers if name not in known]
        if unknown or not config.layers:
            raise ConfigError(
                f"explainability.layers: the network has no layer {', '.join(unknown) or 'of an empty list'}; it has "
                f"{', '.join(known)}"
            )
        return [known[name] for name in config.layers]
    flat = len(layers[0].cell_mm) == 2
    limit = config.lateral_cell_mm if flat else config.depth_cell_mm
    if limit is None:
        return [layers[-1]]
    fine = [layer for layer in layers if layer.cell_mm[0] <= limit + 1e-9]
    if not fine:
        key = "lateral_cell_mm" if flat else "depth_cell_mm"
        raise ConfigError(
            f"no layer has cells of {limit:g} mm or less (finest: {layers[0].cell_mm[0]:.3f}); raise "
            f"explainability.{key} or use a finer processing.grid"
        )
    return [fine[-1]]


def coarse_note(chosen: Sequence[Layer], layers: Sequence[Layer]) -> str:
    """What to know of those of the `chosen` layers that have fewer than FEWEST_CELLS along an axis, and what to set
    instead, of all `layers` of the network; empty if there is none."""
    notes = []
    for layer in chosen:
        if min(layer.cells) >= FEWEST_CELLS:
            continue
        finer = [one.name for one in layers if min(one.cells) >= FEWEST_CELLS]
        key = "depth_cell_mm" if len(layer.cells) == 3 else "lateral_cell_mm"
        instead = f"set explainability.layers to one of {', '.join(finer)} or {key} to less, or " if finer else ""
        notes.append(
            f"{layer.name} has {' x '.join(map(str, layer.cells))} cells "
            f"({'depth, y, x' if len(layer.cells) == 3 else 'y, x'}), fewer than {FEWEST_CELLS} along an axis: its map "
            f"hardly tells where; {instead}choose a method of voxels, such as integrated_gradients"
        )
    return "; ".join(notes)


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
