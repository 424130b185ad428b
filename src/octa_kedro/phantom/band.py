"""The band of voxels around the retina in which everything is drawn; it follows the retina's surface."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.fields import Grid, Map

ABOVE_UM, BELOW_UM = 60.0, 320.0
"""How far the band extends above the ILM and below BM."""


@dataclass(frozen=True)
class Band:
    """Voxels (X, Y, B) of a scan from above its ILM to below its choroid; `surfaces_um` is (6, X, Y)."""

    grid: Grid
    surfaces_um: Map

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """Depth index in the scan of each voxel of the band."""
        step, depth = self.grid.voxel_um[2], self.grid.shape[2]
        first = np.floor((self.surfaces_um[0] - ABOVE_UM) / step).astype(np.intp)
        tallest = float((self.surfaces_um[5] - self.surfaces_um[0]).max())
        length = min(depth, int(np.ceil((ABOVE_UM + tallest + BELOW_UM) / step)))
        return np.clip(first, 0, depth - length)[..., None] + np.arange(length)

    @cached_property
    def z_um(self) -> Map:
        """Depth in micrometres of the centre of each voxel."""
        return ((self.index + 0.5) * self.grid.voxel_um[2]).astype(np.float32)

    def below(self, surface: int) -> Map:
        """Distance in micrometres below a surface (negative above it)."""
        return self.z_um - self.surfaces_um[surface][..., None]

    def layer(self, centre_um: Map, half_width_um: Map | float) -> Map:
        """Gaussian profile in depth around `centre_um` (X, Y), with standard deviation `half_width_um` and peak 1."""
        # at least half a voxel wide: a thinner layer between two voxels would vanish
        width = np.maximum(np.asarray(half_width_um, np.float32), np.float32(0.5 * self.grid.voxel_um[2]))
        scale = np.float32(np.sqrt(0.5)) / np.broadcast_to(width, centre_um.shape)[..., None]
        profile = self.z_um - centre_um[..., None]
        profile *= scale
        np.square(profile, out=profile)
        np.negative(profile, out=profile)
        return np.exp(profile, out=profile)

    def fraction(self, top: int, bottom: int) -> Map:
        """Relative depth of each voxel between two surfaces: 0 on the upper, 1 on the lower one."""
        thickness = self.surfaces_um[bottom] - self.surfaces_um[top]
        return self.below(top) / thickness[..., None]

    def of_scan(self, values: Map) -> Map:
        """The band's voxels (X, Y, B) of `values` (X, Y, Z)."""
        return np.take_along_axis(values, self.index, axis=2)

    def to_scan(self, values: NDArray, background: NDArray) -> NDArray:
        """Write the band's voxels `values` into `background` (X, Y, Z), which is changed in place and returned."""
        np.put_along_axis(background, self.index, values, axis=2)
        return background


def step_up(distance_um: Map, width_um: float) -> Map:
    """Smooth step in depth from 0 to 1, `width_um` wide."""
    out = distance_um * np.float32(2 / width_um)
    np.tanh(out, out=out)
    out += 1
    out *= np.float32(0.5)
    return out
