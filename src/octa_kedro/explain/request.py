"""What a map is asked for: a network, a class, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.errors import CheckpointError, ConfigError, DataError
from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import Layer
from octa_kedro.explain.smoothing import tissue


@dataclass(frozen=True)
class MapRequest:
    """The evidence of `model` for the class with index `target`; where that is None, for `config.target_class`.

    `layers` are what methods of activation look at; `spacing_mm` is the size of an input voxel in tensor order
    ``([D,] H, W)``; of `masked` volumes, processing has blackened all but a slab. `anatomy` is what is known of the
    eye beside the image, for methods that need it; `draw` numbers the noise of those that add some.
    """

    model: nn.Module
    config: ExplainConfig
    spacing_mm: tuple[float, ...]
    layers: Sequence[Layer] = ()
    masked: bool = False
    target: int | None = None
    anatomy: Anatomy | None = None
    draw: int = 0

    def tissue(self, image: torch.Tensor) -> NDArray[np.bool_]:
        """Where an image ``(1, C, [D,] H, W)`` shows tissue, as ``([D,] H, W)``."""
        return tissue(image[0].cpu().numpy(), masked=self.masked)

    def voxels(self, depth_mm: float | None, lateral_mm: float | None, otherwise: float) -> tuple[float, ...]:
        """Lengths as numbers of voxels, in tensor order ``([D,] H, W)``; `otherwise` voxels where one is None."""
        lengths = (depth_mm, lateral_mm, lateral_mm)[-len(self.spacing_mm) :]
        pairs = zip(lengths, self.spacing_mm, strict=True)
        return tuple(otherwise if length is None else length / mm for length, mm in pairs)

    def slabs(self) -> torch.Tensor:
        """The slab of each voxel, `Anatomy.slabs`; DataError without surfaces."""
        if self.anatomy is None or self.anatomy.surfaces is None:
            raise DataError("the eye's surfaces are not known, but a method needs them")
        return torch.from_numpy(self.anatomy.slabs)

    def donors(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The eye with each donor's tissue in it, `Anatomy.replacements`, where `image` is; DataError if there is
        none."""
        warped = () if self.anatomy is None else self.anatomy.replacements
        if not warped:
            raise DataError("no healthy donor eye is known, but a method needs one")
        return [one.to(image.device) for one in warped]

    def margin(self, images: torch.Tensor) -> torch.Tensor:
        """The margin of the explained class for `images` ``(N, C, [D,] H, W)``, as ``(N,)``."""
        return self.of_logits(self.model(images))

    def of_logits(self, logits: torch.Tensor) -> torch.Tensor:
        """The margin ``(N,)`` of the explained class, of logits ``(N, classes)``."""
        return class_margin(logits, self.class_index)

    @property
    def class_index(self) -> int:
        """Of the explained class; ConfigError where only its name, or that of the predicted class, is given."""
        target = self.config.target_class if self.target is None else self.target
        if isinstance(target, str):
            raise ConfigError(f"explainability.target_class {target}: a map needs the index of its class")
        return target


def require_gradient(gradient: torch.Tensor) -> None:
    """CheckpointError for a gradient that is 0 everywhere: its map would look like one without evidence."""
    if not bool(gradient.any()):
        raise CheckpointError("all gradients are 0: what the network says does not depend on the image; train it anew")


def require_effect(changes: torch.Tensor) -> None:
    """CheckpointError where nothing that was done to image or channels changes the margin: such a map would look like
    one without evidence, or like one with evidence everywhere."""
    if not bool(changes.any()):
        raise CheckpointError(
            "what is done to the layer's channels changes nothing: what the network says does not depend on the image; "
            "train it anew"
        )


def class_margin(logits: torch.Tensor, target: int) -> torch.Tensor:
    """The logit ``(N,)`` of class `target` minus the mean of the others, of logits ``(N, classes)``. Adding a constant
    to all logits, which no prediction depends on, changes nothing."""
    chosen = logits[..., target]
    return chosen - (logits.sum(-1) - chosen) / (logits.shape[-1] - 1)
