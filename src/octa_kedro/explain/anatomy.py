"""What is known of an eye beside its image, for methods that need it: its surfaces, and healthy donor eyes."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.donors import donor_replacement
from octa_kedro.explain.profile import slab_labels
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.axes import to_tensor


class Donor(NamedTuple):
    """A healthy eye on the processed grid, with its surfaces there."""

    volume: Volume
    surfaces: PlaneStack


@dataclass(frozen=True)
class Anatomy:
    """The `surfaces` of an `eye` and healthy `donors`, all on the processed grid; any of it may be missing.

    Of masked volumes, processing has kept `mask_slab`. What follows from them is made on first use and kept, since all
    networks that explain the eye look at it.
    """

    eye: Volume
    surfaces: PlaneStack | None = None
    donors: tuple[Donor, ...] = ()
    mask_slab: str | None = None

    @property
    def known_surfaces(self) -> tuple[str, ...]:
        """The names of the surfaces that are known."""
        return () if self.surfaces is None else self.surfaces.names

    @cached_property
    def slabs(self) -> NDArray[np.uint8]:
        """The slab of each voxel in tensor order ``(D, H, W)``, as an index of `profile.SLAB_NAMES` or UNKNOWN."""
        return np.ascontiguousarray(slab_labels(self.surfaces, self.eye).transpose(2, 1, 0))

    @cached_property
    def replacements(self) -> tuple[torch.Tensor, ...]:
        """The eye with each donor's tissue in it, warped so that the layers fit, each ``(1, 1, D, H, W)``.

        DataError as in `donors.donor_replacement`; none without surfaces or donors.
        """
        surfaces = self.surfaces
        if surfaces is None:
            return ()
        warped = (donor_replacement(self.eye, surfaces, *donor, mask_slab=self.mask_slab) for donor in self.donors)
        return tuple(to_tensor(self.eye.with_array(array))[None] for array in warped)
