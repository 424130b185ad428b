"""Where the anatomy of each eye is read from: its surfaces, and healthy development eyes as donors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from octa_kedro.cohort.columns import patients_of
from octa_kedro.errors import DataError
from octa_kedro.explain.anatomy import Anatomy, Donor
from octa_kedro.explain.donors import require_usable_surfaces
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.needs import require_known
from octa_kedro.io.volume import Volume
from octa_kedro.results.stored import Stored


@dataclass(frozen=True)
class HealthyEye:
    """A development eye of the first class; it is read once, on first use, and kept for all eyes it is a donor of."""

    subject: str
    patient: str
    image: Stored
    surfaces: Stored

    @cached_property
    def donor(self) -> Donor:
        """The eye itself."""
        return Donor(self.image(), self.surfaces())

    @cached_property
    def usable(self) -> bool:
        """Whether its surfaces reach from ILM to BM, without gaps and in order."""
        try:
            require_usable_surfaces(self.surfaces())
        except DataError:
            return False
        return True


@dataclass(frozen=True)
class Context:
    """Where the anatomy of one eye is read from, as far as a method needs it."""

    surfaces: Stored | None = None
    donors: tuple[HealthyEye, ...] = ()
    mask_slab: str | None = None

    def read(self, eye: Volume) -> Anatomy:
        """The anatomy of `eye`."""
        surfaces = None if self.surfaces is None else self.surfaces()
        return Anatomy(eye, surfaces, tuple(one.donor for one in self.donors), self.mask_slab)

    def hashes(self) -> dict[str, Any]:
        """What a map depends on through this; nothing, where a method needs nothing."""
        surfaces = {} if self.surfaces is None else {"surfaces": self.surfaces.sha256}
        donors = [[one.image.sha256, one.surfaces.sha256] for one in self.donors]
        return surfaces | ({"donors": donors} if donors else {})


class Contexts:
    """The contexts of many eyes.

    `surfaces` are those known, by subject. Donors are at most `count` development eyes of the class with index 0 in
    `splits`; without splits there are none. They are the first ones in the order of their names that fit: never an eye
    of the same patient, and on the same grid.
    """

    def __init__(
        self,
        images: Mapping[str, Stored],
        surfaces: Mapping[str, Stored],
        splits: pd.DataFrame | None,
        *,
        count: int,
        mask_slab: str | None,
    ) -> None:
        self.images, self.surfaces, self.count, self.mask_slab = images, surfaces, count, mask_slab
        self._patients: dict[str, str] = {}
        self._healthy: list[HealthyEye] = []
        if splits is not None and {"held_out", "target"} <= set(splits.columns):
            self._patients = dict(zip(splits["subject"].astype(str), patients_of(splits), strict=True))
            self._healthy = [*self._development_eyes(splits)]

    def of(self, subject: str, method: str) -> Context:
        """The context of an eye for a method; ConfigError if the method needs what is not known."""
        needs, image = METHODS[method].needs, self.images[subject]
        if not needs:
            return Context()
        known, flat = self.surfaces.get(subject), "names" in image.meta
        donors = () if flat or known is None or "donors" not in needs else self.donors(subject)
        names = () if known is None else known.meta["names"]
        require_known(method, f"subject {subject}", flat=flat, surfaces=names, donors=len(donors))
        return Context(known, donors, self.mask_slab)

    def donors(self, subject: str) -> tuple[HealthyEye, ...]:
        """The healthy eyes that fit one eye."""
        image, patient = self.images[subject], self._patients.get(subject, subject)
        chosen: list[HealthyEye] = []
        for healthy in self._healthy:
            if len(chosen) == self.count:
                break
            fits = healthy.patient != patient and _frame(healthy.image) == _frame(image)
            if fits and healthy.usable:
                chosen.append(healthy)
        return tuple(chosen)

    def _development_eyes(self, splits: pd.DataFrame) -> Iterator[HealthyEye]:
        rows = splits[~splits["held_out"].astype(bool) & (splits["target"] == 0)]
        for subject in sorted(rows["subject"].astype(str)):
            if subject in self.images and subject in self.surfaces:
                yield HealthyEye(subject, self._patients[subject], self.images[subject], self.surfaces[subject])


def _frame(image: Stored) -> tuple[Any, ...]:
    """What has to be the same in two eyes of which one is put into the other: voxels, their edges in micrometres, and
    which end of x is temporal."""
    shape, spacing_mm = image.grid()
    mirrored = (image.meta.get("placement") or {}).get("mirrored", False)
    return (*shape, *(round(1000 * mm, 1) for mm in spacing_mm), image.meta.get("laterality") == "OS" and not mirrored)
