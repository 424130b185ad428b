"""The one place where volume axes become tensor axes and back."""

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.io.volume import PlaneStack, Volume


def to_tensor(item: Volume | PlaneStack, planes: tuple[str, ...] = ()) -> torch.Tensor:
    """A Volume as ``(1, D, H, W)`` = (channel, z, y, x), or the named `planes` as ``(C, H, W)``; float32."""
    if isinstance(item, Volume):
        array = np.ascontiguousarray(item.array.transpose(2, 1, 0), np.float32)[None]
    else:
        array = np.stack([np.asarray(item.plane(name), np.float32).T for name in planes])
    return torch.from_numpy(array)


def from_tensor(tensor: torch.Tensor) -> NDArray[np.float32]:
    """A single-channel map ``(D, H, W)`` or ``(H, W)`` as ``[x, y, z]`` or ``[x, y]``."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy().T)
