"""The one place where volume axes become tensor axes and back."""

from collections.abc import Sequence

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


def to_stored_axes(array: NDArray, names: Sequence[str] | None, planes: tuple[str, ...]) -> NDArray:
    """Stored numbers ``[x, y, z]`` as ``(1, D, H, W)``, or those of `names` planes ``[x, y, plane]`` that `planes` asks
    for as ``(C, H, W)``, in their own type; of a mapped NIfTI file, whose x runs fastest, a volume is not copied."""
    if names is None:
        return array.transpose(2, 1, 0)[None]
    return np.stack([array[:, :, list(names).index(name)].T for name in planes])


def from_tensor(tensor: torch.Tensor) -> NDArray[np.float32]:
    """A single-channel map ``(D, H, W)`` or ``(H, W)`` as ``[x, y, z]`` or ``[x, y]``."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy().T)
