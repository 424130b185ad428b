"""Maps that know nothing of any network, and that a method has to beat: they are scored exactly as its maps are."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.slabs import slab_mask

CENTRE_SD = 0.25
"""Of the centre prior, as a share of the field along each axis."""
SMOOTHING_MM, EDGE_MM = 0.03, 0.015
"""Standard deviations at which brightness and edges found the phantom's lesions best, of 0 to 0.08 mm; within the
retina they found them better than over the whole grid. A control that is weaker than it could be proves nothing."""


@dataclass(frozen=True)
class Eye:
    """What a control may look at: the eye `image` ``[x, y, z]``, its surfaces, and its map by a 2D network."""

    subject: str
    image: Volume
    surfaces: PlaneStack | None = None
    plane_map: PlaneStack | None = None

    def retina(self) -> NDArray[np.bool_]:
        """The voxels between ILM and BM; all of them where no surfaces are known."""
        nx, ny, nz = self.image.array.shape
        if self.surfaces is None:
            return np.ones((nx, ny, nz), bool)
        return slab_mask(self.surfaces, "ILM_BM", (nx, ny, nz), self.image.grid_affine)


def centre_prior(eye: Eye) -> Volume:
    """A Gaussian about the middle voxel of the grid, whatever the eye: where lesions tend to lie, and where scans are
    aimed at."""
    shape = eye.image.array.shape
    axes = [np.exp(-0.5 * ((np.arange(n) - n // 2) / (CENTRE_SD * n)) ** 2) for n in shape]
    return _as_map(eye, axes[0][:, None, None] * axes[1][:, None] * axes[2], "centre")


def edges(eye: Eye) -> Volume:
    """The gradient's magnitude, per millimetre, of the retina's slightly smoothed image: what an edge filter finds.

    Many methods do not beat it (Clark et al. 2023, XAI-TRIS, arXiv 2306.12816).
    """
    slopes = np.gradient(_smooth(eye, EDGE_MM), *eye.image.spacing)
    return _as_map(eye, np.sqrt(sum(slope**2 for slope in slopes)) * eye.retina(), "edges")


def brightness(eye: Eye) -> Volume:
    """The retina's image itself, from its darkest voxel: strong where a lesion glows, as new vessels do."""
    return _from_darkest(eye, np.asarray(eye.image.array, np.float32), "brightness")


def smooth_brightness(eye: Eye) -> Volume:
    """The same smoothed: it ranks voxels better than single bright ones do, and its peak is another."""
    return _from_darkest(eye, _smooth(eye, SMOOTHING_MM), "smooth brightness")


def random_map(eye: Eye) -> Volume:
    """White noise over the whole grid, the same for a subject every time."""
    seed = int.from_bytes(hashlib.sha256(eye.subject.encode()).digest()[:8], "big")
    noise = np.random.default_rng(seed).random(eye.image.array.shape)
    return _as_map(eye, noise, "random")


def extruded(eye: Eye) -> Volume | None:
    """The map of a 2D network, the same at every depth of the retina; None for an eye without such a map.

    What a 3D map tells beyond it is the depth. Of several planes the mean is taken; outside their field it is 0.
    """
    if eye.plane_map is None:
        return None
    plane = np.asarray(eye.plane_map.array, np.float64).mean(axis=2)
    nx, ny, _ = eye.image.array.shape
    x, y = np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij")
    to_plane = np.linalg.inv(eye.plane_map.grid_affine[np.ix_([0, 1, 3], [0, 1, 3])])
    to_mm = eye.image.grid_affine[np.ix_([0, 1, 3], [0, 1, 3])]
    i, j, _ = to_plane @ to_mm @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    columns = map_coordinates(plane, [i.round(6), j.round(6)], order=1, mode="grid-constant").reshape(nx, ny)
    return _as_map(eye, columns[..., None] * eye.retina(), "extruded")


Control = Callable[[Eye], Volume | None]

CONTROLS: Mapping[str, Control] = {
    "centre prior": centre_prior,
    "edges": edges,
    "brightness": brightness,
    "brightness, smoothed": smooth_brightness,
    "random": random_map,
    "2D map, extruded": extruded,
}
"""Every control by its name in tables; None is an eye that has no such map."""


def _smooth(eye: Eye, sd_mm: float) -> NDArray[np.float32]:
    return gaussian_filter(np.asarray(eye.image.array, np.float32), [sd_mm / mm for mm in eye.image.spacing])


def _from_darkest(eye: Eye, array: NDArray[np.float32], name: str) -> Volume:
    retina = eye.retina()
    lowest = array[retina].min() if retina.any() else 0.0
    return _as_map(eye, np.where(retina, array - lowest, 0.0), name)


def _as_map(eye: Eye, array: NDArray, name: str) -> Volume:
    return replace(eye.image, array=array.astype(np.float32), modality=name)
