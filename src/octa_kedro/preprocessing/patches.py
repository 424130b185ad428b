"""En-face maps cut into patches for 2D networks, and maps over patches put together again.

Patches go by row and column as the map is shown: row 1 is superior, column 1 where x begins. Each stays ``[x, y]``.
All patches of an eye carry its label, belong to its subject in every split, and their predictions are pooled.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.preprocessing.geometry import apply_weights, axis_weights
from octa_kedro.preprocessing.intensity import clip_and_scale
from octa_kedro.preprocessing.patch_config import PatchConfig

GREYS = 256


def split_patches(plane: NDArray, config: PatchConfig, *, what: str = "map") -> NDArray[np.float32]:
    """`plane` ``[x, y]`` as ``(n * n, size, size)``, in the order of ``config.names``.

    The patches are equal parts of the plane and need not fall on whole pixels: pixels are averaged where patches are
    coarser than the plane and interpolated where they are finer. `what` names the eye in DataErrors.
    """
    if plane.ndim != 2 or min(plane.shape) < config.n:
        raise DataError(f"{what}: a map of shape {plane.shape} cannot be cut into {config.n} x {config.n} patches")
    source = match_contrast(plane, config, what=what) if config.match_contrast else plane.astype(np.float32)
    side = config.n * config.size
    whole = _resize(source, (side, side))
    parts = whole.reshape(config.n, config.size, config.n, config.size)
    # columns follow x, rows come down from the largest y
    rows_down = parts.transpose(2, 0, 1, 3)[::-1]
    return np.ascontiguousarray(rows_down.reshape(-1, config.size, config.size))


def join_patches(patches: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Patches ``(n * n, a, b)`` put together and resampled to a map of `shape` ``[x, y]``.

    For maps of explanations too, whose patches may have another size than those that were cut.
    """
    n = round(len(patches) ** 0.5)
    if patches.ndim != 3 or n * n != len(patches):
        raise DataError(f"patches of shape {patches.shape} are not n x n planes")
    _, a, b = patches.shape
    rows_up = patches.reshape(n, n, a, b)[::-1]
    whole = rows_up.transpose(1, 2, 0, 3).reshape(n * a, n * b)
    return _resize(whole.astype(np.float32), shape)


def match_contrast(plane: NDArray, config: PatchConfig, *, what: str = "map") -> NDArray[np.float32]:
    """`plane` clipped at percentiles, then contrast-limited adaptively equalised to [0, 1] in 256 steps.

    The limit is 256 / mean grey level, as in the original system: the darker a map, the more contrast it may gain.
    """
    greys = np.rint(clip_and_scale(plane, config.intensity, what=what) * (GREYS - 1)).astype(np.uint8)
    equaliser = cv2.createCLAHE(clipLimit=GREYS / float(greys.mean()), tileGridSize=(config.tiles, config.tiles))
    return equaliser.apply(greys).astype(np.float32) / np.float32(GREYS - 1)


def _resize(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    weights = [axis_weights(n, np.linspace(0, n, m + 1)) for n, m in zip(plane.shape, shape, strict=True)]
    return apply_weights(plane, [*weights]).astype(np.float32, copy=False)
