"""A short description of an eye's image by which copies of it are found, and from which it cannot be redrawn.

The image is averaged to coarse cells, the mean of each depth (of each en-face map) is taken away, so that what is left
tells this eye from others, and the rest is projected on NUMBERS random directions. The cosine of two such projections
estimates the correlation of the two images (Johnson and Lindenstrauss 1984) to within about 1 / sqrt(NUMBERS).
"""

import base64
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from octa_kedro.io.volume import PlaneStack, Volume

SKETCH = "sketch"  # under which a stored image's facts hold its sketches
NUMBERS = 512
CELLS, CELLS_OF_MAPS = 16, 24
SEED = 1
VIEWS = tuple((slice(None, None, x), slice(None, None, y)) for x in (1, -1) for y in (1, -1))
"""The image as it is, and mirrored in plane: a copy may be mirrored, too."""


def sketch_views(image: Volume | PlaneStack) -> list[str]:
    """Sketches of the image ``[x, y, z]`` or ``[x, y, map]`` as it is, mirrored along y, along x, and along both."""
    cells = details(image.array, CELLS if isinstance(image, Volume) else CELLS_OF_MAPS)
    return [_sketch(cells[view]) for view in VIEWS]


def details(array: NDArray, cells: int) -> NDArray[np.float64]:
    """Means of at most so many cells along each axis, less the mean of their depth; the last axis of maps stays."""
    for axis in range(3):
        edges = np.linspace(0, array.shape[axis], min(cells, array.shape[axis]) + 1).astype(int)
        sums = np.add.reduceat(array, edges[:-1], axis=axis, dtype=np.float64)
        array = sums / np.diff(edges).reshape([-1 if one == axis else 1 for one in range(3)])
    return array - array.mean((0, 1), keepdims=True)


def likeness(views: Sequence[str], others: Sequence[str]) -> NDArray[np.float64]:
    """For each of the `others` (sketches of images as they are) the estimated correlation with the most alike of the
    `views` of one image; 0 for a sketch of another kind of image or of a flat one."""
    one = np.stack([_read(text) for text in views])
    return (one @ np.stack([_read(text) for text in others]).T).max(0) if len(others) else np.zeros(0)


def rank_alike(views: Sequence[str], sketches: Mapping[str, str]) -> list[tuple[str, float]]:
    """The subjects with these `sketches` and the estimated correlation of their image with that of these `views`, the
    most alike first; nobody where the image has no views."""
    if not views or not sketches:
        return []
    alike = likeness(views, [*sketches.values()])
    return [([*sketches][place], float(alike[place])) for place in np.argsort(-alike, kind="stable")]


def _sketch(cells: NDArray[np.float64]) -> str:
    flat = cells.ravel()
    numbers = flat @ _directions(flat.size)
    largest = float(np.abs(numbers).max())
    scaled = np.round(numbers * (127 / largest)) if largest > 1e-9 else np.zeros(NUMBERS)
    return base64.b64encode(scaled.astype(np.int8).tobytes()).decode()


@cache
def _directions(size: int) -> NDArray[np.float32]:
    """Random signs ``(size, NUMBERS)``, the same in every version of numpy: the bits of a generator are fixed."""
    words = np.random.PCG64(SEED).random_raw(size * NUMBERS // 64).astype("<u8")
    signs: NDArray[np.float32] = np.unpackbits(words.view(np.uint8)).reshape(size, NUMBERS).astype(np.float32) * 2 - 1
    return signs


def _read(text: str) -> NDArray[np.float64]:
    numbers = np.frombuffer(base64.b64decode(text), np.int8).astype(np.float64)
    return numbers / max(float(np.linalg.norm(numbers)), 1.0)
