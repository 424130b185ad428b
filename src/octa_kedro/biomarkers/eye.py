"""All biomarkers of one eye."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from octa_kedro.biomarkers.definitions import COLUMNS, INNER, LAYERS, PLEXUSES, REGIONS, column
from octa_kedro.biomarkers.faz import Faz, find_faz
from octa_kedro.biomarkers.perfusion import nonperfused
from octa_kedro.biomarkers.regions import Regions, etdrs_regions
from octa_kedro.biomarkers.sampling import like, resample, square_pixel
from octa_kedro.biomarkers.vessels import (
    RESOLVED_UM,
    calibre_um,
    centre_lines,
    find_vessels,
    line_length,
    tortuosity,
)
from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.fovea import find_pit
from octa_kedro.preprocessing.projection import project
from octa_kedro.preprocessing.slab_names import find_slab
from octa_kedro.preprocessing.slabs import slab_edges

COARSEST_UM = 65.0
"""With A-scans farther apart no FAZ and no patch is measured: it would be a few pixels wide. At 60 um the area of a FAZ
is 0.03 mm2 off on average (`benchmarks/biomarkers.py`)."""
KNOWN = 0.8
"""Share of a region's A-scans whose layer must be known for a mean thickness."""
Mask = NDArray[np.bool_]


@dataclass
class Measured:
    """The `values` of `definitions.COLUMNS`; `reasons` says why one of them is NaN. `masks` ``[x, y]`` by name show
    what was measured, `facts` where."""

    values: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COLUMNS, float("nan")))
    reasons: dict[str, str] = field(default_factory=dict)
    masks: dict[str, Mask] = field(default_factory=dict)
    facts: dict[str, float | str] = field(default_factory=dict)

    def miss(self, names: list[str], reason: str) -> None:
        """These measures are NaN for this reason."""
        self.reasons |= dict.fromkeys(names, reason)

    def put(self, name: str, value: float, otherwise: str) -> None:
        """A measure, and the reason if it is NaN."""
        self.values[name] = float(value)
        if not np.isfinite(value):
            self.values[name] = float("nan")
            self.reasons[name] = otherwise


def measure_eye(flow: Volume | None, surfaces: PlaneStack) -> Measured:
    """The biomarkers of an eye in the frame of right eyes (`preprocessing.mirroring`): x temporal to nasal.

    `flow` is its angiography as the device sampled it, `surfaces` lie on its A-scans. Without angiography only
    thicknesses are measured. DataError if the surfaces are those of another scan.
    """
    shape, spacing = surfaces.array.shape[:2], _spacing_mm(surfaces)
    if flow is not None and flow.array.shape[:2] != shape:
        raise DataError(f"{flow.source}: {flow.array.shape[:2]} A-scans, but its surfaces have {shape}")
    found = Measured()
    maps = {} if flow is None else _maps(flow, surfaces)
    coarse = 1000 * max(spacing) > COARSEST_UM
    faz = _faz(found, None if coarse else maps.get(INNER), spacing)
    fovea = _fovea(found, surfaces, spacing, faz)
    regions = etdrs_regions(shape, spacing, fovea, surfaces.laterality)
    found.facts |= {"field_x_mm": shape[0] * spacing[0], "field_y_mm": shape[1] * spacing[1]}
    found.facts |= {"pixel_um": 1000 * min(spacing)}
    _thicknesses(found, surfaces, regions)
    why = "there is no angiography" if flow is None else "the surfaces that bound the slab are not known"
    for slab in (*PLEXUSES, INNER):
        if slab in maps:
            _flow(found, slab, maps[slab], spacing, regions=regions, faz=faz)
        else:
            found.miss([name for name in COLUMNS if f"_{slab}_" in f"{name}_"], why)
    if coarse and flow is not None:
        zone = [name for name in COLUMNS if name.startswith(("faz_", "nonperfused_"))]
        found.miss(zone, f"A-scans {1000 * max(spacing):.0f} um apart are too far apart for an avascular zone")
    return found


def _spacing_mm(surfaces: PlaneStack) -> tuple[float, float]:
    x, y = np.linalg.norm(surfaces.grid_affine[:3, :2], axis=0)
    return float(x), float(y)


def _maps(flow: Volume, surfaces: PlaneStack) -> dict[str, NDArray[np.float32]]:
    """The slabs whose surfaces are known, projected by the mean."""
    maps = {}
    for slab in (*PLEXUSES, INNER):
        bounds = find_slab(slab)
        if {bounds.upper, bounds.lower} <= set(surfaces.names):
            top, bottom = slab_edges(surfaces, slab)
            first, step = flow.grid_affine[2, 3], flow.spacing[2]
            plane = project(flow.array, (top - first) / step, (bottom - first) / step)
            if np.isfinite(plane).all() and plane.max() > 0:
                maps[slab] = plane
    return maps


def _faz(found: Measured, plane: NDArray | None, spacing: tuple[float, float]) -> Faz | None:
    names = ["faz_area", "faz_perimeter", "faz_circularity", "faz_axis_ratio"]
    if plane is None:
        found.miss(names, "there is no map of the inner retina")
        return None
    faz = find_faz(plane, (1000 * spacing[0], 1000 * spacing[1]))
    if faz is None:
        found.miss(names, "no dark region with a closed border lies at the fovea")
        return None
    values = (faz.area_mm2, faz.perimeter_mm, faz.circularity, faz.axis_ratio)
    found.values |= dict(zip(names, values, strict=True))
    found.masks["faz"] = like(faz.mask, (plane.shape[0], plane.shape[1]))
    return faz


def _fovea(found: Measured, surfaces: PlaneStack, spacing: tuple[float, float], faz: Faz | None) -> tuple[float, float]:
    """Where the ETDRS grid is centred: on the pit, without one on the FAZ, else on the scan."""
    place, by = (0.0, 0.0), "the scan's middle"
    lower = "OPL_ONL" if "OPL_ONL" in surfaces.names else "BM"
    pit = None
    if {"ILM", lower} <= set(surfaces.names):
        inner = surfaces.plane(lower) - surfaces.plane("ILM")
        pit = find_pit(inner, spacing) if np.isfinite(inner).any() else None
    if pit is not None and pit.found:
        place, by = (pit.x_mm, pit.y_mm), "the foveal pit"
    elif faz is not None:
        place, by = faz.centre_mm, "the FAZ"
    found.facts |= {"fovea_x_mm": place[0], "fovea_y_mm": place[1], "centred_on": by}
    return place


def _thicknesses(found: Measured, surfaces: PlaneStack, regions: Regions) -> None:
    for layer, (upper, lower) in LAYERS.items():
        names = {region: column("thickness", layer, region) for region in REGIONS}
        if lost := [name for name in (upper, lower) if name not in surfaces.names]:
            found.miss([*names.values()], f"the surface {lost[0]} is not known")
            continue
        thickness = 1000 * (surfaces.plane(lower).astype(float) - surfaces.plane(upper))
        _by_region(found, names, thickness, regions)


def _flow(
    found: Measured,
    slab: str,
    plane: NDArray[np.float32],
    spacing: tuple[float, float],
    *,
    regions: Regions,
    faz: Faz | None,
) -> None:
    """What is measured in the map of one slab."""
    spacing_um = (1000 * spacing[0], 1000 * spacing[1])
    pixel, shape = square_pixel(spacing_um), (plane.shape[0], plane.shape[1])
    grey = resample(plane, spacing_um, pixel)
    zone = None if faz is None else like(faz.mask, (grey.shape[0], grey.shape[1]))
    area = column("nonperfused_area", slab)
    if zone is None:
        found.miss([area], "the FAZ, which does not count, was not found")
    else:
        dark = nonperfused(grey, pixel, zone)
        field_mm2 = shape[0] * spacing[0] * shape[1] * spacing[1]
        found.values[area] = float(dark.mean()) * field_mm2
        found.masks[f"nonperfused_{slab}"] = like(dark, shape)
    if slab not in PLEXUSES:
        return
    relative = plane / plane.mean()
    _by_region(found, _names("relative_flow", slab, REGIONS[1:]), relative, regions)
    densities = {name: _names(name, slab, REGIONS) for name in ("vessel_density", "skeleton_density")}
    single = [column("vessel_calibre", slab), column("vessel_tortuosity", slab)]
    if pixel > RESOLVED_UM:
        every = [name for names in densities.values() for name in names.values()]
        found.miss(
            [*every, *single], f"A-scans {pixel:.0f} um apart do not resolve capillaries ({RESOLVED_UM:.0f} um do)"
        )
        return
    vessels = find_vessels(grey, pixel, zone)
    lines = centre_lines(vessels)
    found.masks[f"vessels_{slab}"] = like(vessels, shape)
    per_mm = line_length(lines) * 1000 / pixel
    fine = _on(regions, (grey.shape[0], grey.shape[1]))
    _by_region(found, densities["vessel_density"], vessels.astype(float), fine)
    _by_region(found, densities["skeleton_density"], per_mm, fine)
    found.put(single[0], calibre_um(vessels, lines, pixel), "there are no vessels")
    found.put(single[1], tortuosity(lines, pixel), "no vessel is long enough between two branchings")


def _names(name: str, slab: str, regions: tuple[str, ...]) -> dict[str, str]:
    return {region: column(name, slab, region) for region in regions}


def _on(regions: Regions, shape: tuple[int, int]) -> Regions:
    """The same regions on other pixels of the same field."""
    return Regions({name: like(mask, shape) for name, mask in regions.masks.items()}, regions.reasons)


def _by_region(found: Measured, names: Mapping[str, str], plane: NDArray, regions: Regions) -> None:
    """The mean of `plane` ``[x, y]`` over each region that there is."""
    known = np.isfinite(plane)
    for region, name in names.items():
        if region not in regions.masks:
            found.reasons[name] = regions.reasons[region]
            continue
        here = regions.masks[region] & known
        enough = here.sum() >= KNOWN * regions.masks[region].sum()
        value = float(plane[here].mean()) if enough else float("nan")
        found.put(name, value, f"the layer is known at less than {100 * KNOWN:.0f} % of the region's A-scans")
