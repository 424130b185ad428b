"""The regions of the ETDRS grid on a map whose x runs from temporal to nasal and y from inferior to superior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.biomarkers.definitions import REGIONS, SECTORS
from octa_kedro.io.volume import Laterality
from octa_kedro.preprocessing.fovea import places_mm

EDGES_MM = {"centre": (0.0, 0.5), "inner": (0.5, 1.5), "outer": (1.5, 3.0)}
"""Inner and outer radius of the ETDRS grid's parts."""
MIN_SHARE = 0.8
"""Of its area that the scan must hold: a 3 mm scan holds 92 % of an inner sector if the fovea is 0.15 mm off centre."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Regions:
    """Masks ``[x, y]`` of the regions that a scan holds, and why it does not hold the others."""

    masks: dict[str, Mask]
    reasons: dict[str, str]


def etdrs_regions(
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
    fovea_mm: tuple[float, float],
    laterality: Laterality | None,
) -> Regions:
    """The regions `definitions.REGIONS` of a map of `shape` pixels; `fovea_mm` (x, y) is given from its middle.

    Sectors are cut along the diagonals. Without a laterality it is not known which side is temporal.
    """
    x, y = places_mm(shape, spacing_mm)
    x, y = x - fovea_mm[0], y - fovea_mm[1]
    radius = np.hypot(x, y)
    sideways = np.abs(x) >= np.abs(y)
    side = {
        "temporal": sideways & (x < 0),
        "nasal": sideways & (x >= 0),
        "superior": ~sideways & (y >= 0),
        "inferior": ~sideways & (y < 0),
    }
    found = Regions({"whole": np.ones(shape, bool)}, {})
    for region in REGIONS[1:]:
        ring, _, sector = region.partition("_")
        low, high = EDGES_MM[ring]
        mask = (radius >= low) & (radius < high)
        area = np.pi * (high**2 - low**2) / (len(SECTORS) if sector else 1)
        mask = mask & side[sector] if sector else mask
        share = mask.sum() * spacing_mm[0] * spacing_mm[1] / area
        if sector in {"temporal", "nasal"} and laterality is None:
            found.reasons[region] = "it is not known whether this is a right or a left eye"
        elif share < MIN_SHARE:
            found.reasons[region] = f"the scan holds less than {100 * MIN_SHARE:.0f} % of the region"
        else:
            found.masks[region] = mask
    return found
