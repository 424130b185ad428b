"""What a person sees in an en-face OCTA map, as numbers; the same code measures real and synthetic maps.

Every length is in micrometres or millimetres, so that maps of different fields of view can be measured alike.
Checked on the sample of OCTA-500: vessels against the hand-drawn `GT_LargeVessel` of subject 10225 (Dice .79; the
hand left out branches that are found here), capillaries and FAZ by eye on overlays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

BANDS = ((0.3, 2), (2, 6), (6, 12), (12, 24), (24, 50))  # cycles per mm; what the pixels cannot resolve is left out
SLOPE_RANGE = (2.0, 30.0)  # cycles per mm; below lies uneven signal, above it the edge of what 15 um pixels show

LARGE_SIGMA_UM = (18.0, 27.0, 40.0)
LARGE_WIDTH_UM = 35.0
LARGE_LENGTH_UM = 250.0  # shorter pieces are clumps of capillaries
LARGE_RIDGE = 0.45  # contrast that a large vessel must reach somewhere, in units of the map's mean grey
LARGE_GREY = 1.2  # and how much brighter than the mean all of it must be
CAPILLARY_SIGMA_UM = 12.0
CAPILLARY_RIDGE = 0.18  # in units of the grey within CAPILLARY_ROUND_UM: dim parts have capillaries too
CAPILLARY_ROUND_UM = 100.0

FOVEA_WITHIN_UM = 700.0  # of the map's centre
FAZ_SIGMA_UM = 40.0
FAZ_OPENING_UM = 150.0  # gaps in the capillary ring that are narrower do not let the outline leak
FAZ_REACH_UM = 1000.0
PARAFOVEA_UM = (700.0, 1200.0)
FAZ_DARK = 0.6  # of the parafoveal grey; a fovea no darker shows no FAZ

CORRELATION = 0.9  # that depth profiles should reach

Statistics = Mapping[str, Mapping[str, list[float]]]
"""By field of view and by name: one value per eye."""


@dataclass(frozen=True)
class Vessels:
    """Masks of one map, rows by columns; `faz` is empty where no closed dark region was found."""

    large: NDArray[np.bool_]
    capillary: NDArray[np.bool_]
    faz: NDArray[np.bool_]


def enface_statistics(picture: NDArray[np.uint8], field_mm: float) -> dict[str, float]:
    """All statistics of one map by name; NaN for what it does not show."""
    found = find_vessels(picture, field_mm)
    outside = ~found.faz
    area = float(found.faz.mean()) * field_mm**2
    return {
        **grey_levels(picture),
        **power_spectrum(picture, field_mm),
        "large-vessel density, %": 100 * float(found.large[outside].mean()),
        "capillary density, %": 100 * float(found.capillary[outside].mean()),
        "FAZ area, mm2": area if area > 0 else float("nan"),
    }


def statistics_of(maps: Iterable[tuple[NDArray[np.uint8], float]]) -> Statistics:
    """Those of many maps with their fields of view in mm."""
    found: dict[str, dict[str, list[float]]] = {}
    for picture, field_mm in maps:
        for name, value in enface_statistics(picture, field_mm).items():
            found.setdefault(f"{field_mm:g}mm", {}).setdefault(name, []).append(value)
    return found


def grey_levels(picture: NDArray[np.uint8]) -> dict[str, float]:
    """Mean, deviation and percentiles of the histogram."""
    low, middle, high = np.percentile(picture, [5, 50, 95])
    return {
        "grey, mean": float(picture.mean()),
        "grey, standard deviation": float(picture.std()),
        "grey, 5th percentile": float(low),
        "grey, median": float(middle),
        "grey, 95th percentile": float(high),
    }


def power_spectrum(picture: NDArray[np.uint8], field_mm: float) -> dict[str, float]:
    """Shares of the power in `BANDS`, and the slope of log power against log frequency."""
    rows, columns = picture.shape
    window = np.outer(np.hanning(rows), np.hanning(columns))
    centred = (picture - np.average(picture, weights=window)) * window
    power = np.abs(np.fft.fft2(centred)) ** 2
    per_mm = np.hypot(np.fft.fftfreq(rows, field_mm / rows)[:, None], np.fft.fftfreq(columns, field_mm / columns))
    nyquist = min(rows, columns) / field_mm / 2
    inside = (per_mm >= BANDS[0][0]) & (per_mm < min(nyquist, BANDS[-1][1]))
    total = power[inside].sum()
    shares = {
        f"power in {low:g}-{high:g} per mm, %": 100
        * float(power[inside & (per_mm >= low) & (per_mm < high)].sum() / total)
        for low, high in BANDS
    }
    edges = np.geomspace(*SLOPE_RANGE, 25)
    place = np.digitize(per_mm.ravel(), edges)
    count = np.bincount(place, minlength=26)[1:25]
    mean = np.bincount(place, power.ravel(), 26)[1:25] / np.maximum(count, 1)
    middle = np.sqrt(edges[1:] * edges[:-1])[count > 0]
    slope = np.polyfit(np.log(middle), np.log(mean[count > 0]), 1)[0]
    return {**shares, "slope of log power": float(slope)}


def find_vessels(picture: NDArray[np.uint8], field_mm: float) -> Vessels:
    """Large vessels (wider than `LARGE_WIDTH_UM`), capillaries (every other ridge) and the FAZ."""
    pixel = 1000 * field_mm / picture.shape[1]
    grey = picture.astype(np.float32)
    faz = find_faz(picture, field_mm)
    typical = max(float(grey[~faz].mean()), 1.0)
    large = _large_vessels(grey / typical, pixel)
    round_about = np.maximum(ndi.gaussian_filter(grey, CAPILLARY_ROUND_UM / pixel), typical / 2)
    thin = ridge(grey, CAPILLARY_SIGMA_UM / pixel) > CAPILLARY_RIDGE * round_about
    near_large = ndi.binary_dilation(large, disc(20, pixel))
    return Vessels(large, thin & ~near_large, faz)


def _large_vessels(grey: NDArray[np.float32], pixel: float) -> NDArray[np.bool_]:
    """Long, wide and bright ridges of a map whose mean grey is 1; hysteresis on the ridges' contrast."""
    contrast = np.maximum.reduce([ridge(grey, sigma / pixel) for sigma in LARGE_SIGMA_UM])
    bright = ndi.gaussian_filter(grey, 10 / pixel) > LARGE_GREY
    body = np.pad(bright & (contrast > LARGE_RIDGE / 2), 4, mode="edge")
    wide = ndi.binary_opening(body, disc(LARGE_WIDTH_UM, pixel))[4:-4, 4:-4]
    joined = np.ones((3, 3))
    kept = ndi.binary_propagation(wide & (contrast > LARGE_RIDGE), mask=wide, structure=joined)
    pieces, _ = ndi.label(kept, joined)
    long = [False] + [
        np.hypot(rows.stop - rows.start, columns.stop - columns.start) * pixel > LARGE_LENGTH_UM
        for rows, columns in ndi.find_objects(pieces)
    ]
    return np.asarray(long)[pieces]


def find_faz(picture: NDArray[np.uint8], field_mm: float) -> NDArray[np.bool_]:
    """The foveal avascular zone: where the smoothed map is darker than half-way from foveal to parafoveal grey.

    Empty if the fovea is not dark, or if the region runs on to `FAZ_REACH_UM`, as it does in scans too dim.
    """
    pixel = 1000 * field_mm / picture.shape[1]
    capped = np.minimum(picture, np.percentile(picture, 80)).astype(np.float32)  # large vessels must not light it up
    rows, columns = np.indices(picture.shape)
    centre_row, centre_column = ((n - 1) / 2 for n in picture.shape)
    central = np.hypot(rows - centre_row, columns - centre_column) * pixel < FOVEA_WITHIN_UM
    darkness = np.where(central, ndi.gaussian_filter(capped, 150 / pixel, mode="nearest"), np.inf)
    fovea = np.unravel_index(np.argmin(darkness), picture.shape)
    distance = np.hypot(rows - fovea[0], columns - fovea[1]) * pixel
    smooth = ndi.gaussian_filter(capped, FAZ_SIGMA_UM / pixel, mode="nearest")
    floor = np.percentile(smooth[distance < 150], 25)
    parafovea = np.median(smooth[(distance > PARAFOVEA_UM[0]) & (distance < PARAFOVEA_UM[1])])
    if floor > FAZ_DARK * parafovea:
        return np.zeros(picture.shape, bool)
    dark = (smooth < (floor + parafovea) / 2) & (distance < FAZ_REACH_UM)
    pieces, _ = ndi.label(ndi.binary_opening(dark, disc(FAZ_OPENING_UM, pixel)))
    sizes = np.bincount(pieces[(distance < 250) & (pieces > 0)], minlength=2)
    chosen = pieces == max(int(sizes.argmax()), 1)
    if not chosen.any() or distance[chosen].max() > FAZ_REACH_UM - 2 * pixel:
        return np.zeros(picture.shape, bool)
    return ndi.binary_fill_holes(chosen)


def ridge(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """How strongly the smoothed map falls off across its steepest direction, times sigma^2, so that widths compare."""
    rr, cc, rc = (ndi.gaussian_filter(grey, sigma, order=o, mode="nearest") for o in ((2, 0), (0, 2), (1, 1)))
    mean, spread = (rr + cc) / 2, np.hypot((rr - cc) / 2, rc)
    across, along = mean - spread, mean + spread
    # a speck falls off in all directions, a vessel in one
    return sigma**2 * np.maximum(-across - np.maximum(-along, 0), 0)


def disc(diameter_um: float, pixel_um: float) -> NDArray[np.bool_]:
    """A disc as a structuring element."""
    radius = diameter_um / pixel_um / 2
    n = int(radius)
    rows, columns = np.ogrid[-n : n + 1, -n : n + 1]
    return rows**2 + columns**2 <= radius**2


def draw_outlines(picture: NDArray[np.uint8], field_mm: float) -> NDArray[np.uint8]:
    """The map in colour: large vessels red, capillaries green, the FAZ outlined in yellow."""
    found = find_vessels(picture, field_mm)
    colour = np.repeat(picture[..., None], 3, axis=2)
    colour[found.capillary] = (60, 190, 90)
    colour[found.large] = (240, 70, 40)
    colour[found.faz ^ ndi.binary_dilation(found.faz)] = (255, 220, 0)
    return colour


def compare(real: Statistics, phantom: Statistics, correlation: Mapping[str, float]) -> str:
    """Both side by side as a markdown table; `correlation` is that of the depth profiles, by modality."""
    lines = ["| field | statistic | real 5 % | real median | real 95 % | phantom median | inside |", "|" + "---|" * 7]
    inside: list[bool] = []

    def add(field: str, name: str, figures: list[str], reached: bool) -> None:
        inside.append(reached)
        lines.append(f"| {' | '.join([field, name, *figures, 'yes' if reached else '**no**'])} |")

    for field in phantom:
        for name, values in real[field].items():
            low, middle, high = np.nanpercentile(values, [5, 50, 95])
            ours = float(np.nanmedian(phantom[field][name]))
            add(field, name, [f"{v:.3g}" for v in (low, middle, high, ours)], bool(low <= ours <= high))
    for modality, value in correlation.items():
        name = f"{modality} depth profile, correlation"
        add("6mm", name, [f"{CORRELATION:g}", "", "1", f"{value:.3f}"], value > CORRELATION)
    lost = [sum(int(np.isnan(v["FAZ area, mm2"]).sum()) for v in group.values()) for group in (real, phantom)]
    note = f"Maps without a closed FAZ, left out of its area: {lost[0]} real, {lost[1]} phantom."
    return "\n".join([*lines, "", f"{sum(inside)} of {len(inside)} inside. {note}"])
