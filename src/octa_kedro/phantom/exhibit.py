"""The planes of an eye that the gallery shows: a B-scan through its lesion, and en-face maps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.io.octa500 import SURFACES
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.preprocessing.projection import project_mean

# Name, upper and lower surface; the choriocapillaris has no lower surface and is taken CHORIOCAPILLARIS_MM deep.
SLABS = {
    "superficial": ("ILM", "IPL_INL"),
    "deep": ("IPL_INL", "OPL_ONL"),
    "outer retina": ("OPL_ONL", "BM"),
    "choriocapillaris": ("BM", None),
}
CHORIOCAPILLARIS_MM = 0.03


@dataclass(frozen=True)
class Exhibit:
    """The planes of one eye that are shown: one B-scan ``[x, z]``, number `row`, all others ``[x, y]``.

    `lesion` is the mask in the B-scan and `surfaces_mm` (6, x) the depths of its surfaces; `covered` is the en-face
    area of each finding that is present, at any depth.
    """

    oct: NDArray
    octa: NDArray
    lesion: NDArray
    surfaces_mm: NDArray
    slabs: dict[str, NDArray]
    covered: dict[Finding, NDArray]
    row: int
    extent_mm: tuple[float, float, float]
    laterality: str

    @property
    def depths_mm(self) -> tuple[float, float]:
        """Smallest and largest depth of the retina in the B-scan."""
        return float(self.surfaces_mm[0].min()), float(self.surfaces_mm[-1].max())


def exhibit(eye: PhantomEye) -> Exhibit:
    """The planes of `eye` that are shown."""
    row = _row_to_show(eye)
    step = eye.extent_mm[2] / eye.oct.shape[2]
    return Exhibit(
        oct=eye.oct[:, row].copy(),
        octa=eye.octa[:, row].copy(),
        lesion=eye.lesion[:, row].copy(),
        surfaces_mm=(eye.surfaces[:, :, row] + 0.5) * step,
        slabs={name: _slab(eye, *edges) for name, edges in SLABS.items()},
        covered={f: cover for f in Finding if (cover := (eye.lesion == f).any(axis=2)).any()},
        row=row,
        extent_mm=eye.extent_mm,
        laterality=eye.laterality,
    )


def _row_to_show(eye: PhantomEye) -> int:
    """The B-scan nearest to the fovea of those that show nearly the most of all findings, each relative to its maximum.

    Without a finding it is the B-scan through the fovea.
    """
    thickness = eye.surfaces[-1] - eye.surfaces[0]
    fovea = int(np.unravel_index(np.argmin(thickness), thickness.shape)[1])
    counts = [(eye.lesion == finding).sum(axis=(0, 2)) for finding in Finding]
    shares = [count / count.max() for count in counts if count.any()]
    if not shares:
        return fovea
    score = np.sum(shares, axis=0)
    best = np.flatnonzero(score >= 0.9 * score.max())
    return int(best[np.argmin(abs(best - fovea))])


def _slab(eye: PhantomEye, upper: str, lower: str | None) -> NDArray[np.float32]:
    top = eye.surfaces[SURFACES.index(upper)]
    thickness = CHORIOCAPILLARIS_MM * eye.octa.shape[2] / eye.extent_mm[2]
    bottom = top + thickness if lower is None else eye.surfaces[SURFACES.index(lower)]
    return project_mean(eye.octa, top, bottom)
