"""Writes lesions into the voxels of an eye: their blood flow, their grey values and their labels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.band import Band
from octa_kedro.phantom.fields import Map
from octa_kedro.phantom.lesions.model import Balls, Finding, Lesions, Sheets, TissueLayer
from octa_kedro.phantom.shapes import window

EDGE_UM = 6.0
"""Depth over which a border is blurred; at least one voxel is used."""
SHEET_UM = 13.0
GLOW = 0.6
"""Standard deviation of the profile of a ball's flow, relative to its radius."""
BEAM = 0.58
"""The beam widens a ball by this share of a voxel, so that one narrower than a voxel still shows."""
MOST_OF_LAYER = 0.5
"""Half a ball's height is never more than this share of the layer it lies in."""
CLOSED = 0.5
"""Capillaries count as closed where less than this share of their flow is left."""

Box = tuple[slice, slice, slice]


class _Body(NamedTuple):
    """The part of the band around a lesion, and the share of each voxel there that the lesion fills."""

    box: Box
    share: Map


def paint_flow(band: Band, lesions: Lesions, flow: Map) -> None:
    """Put the lesions' own flow into `flow` (X, Y, B), in place."""
    for layer in lesions.layers:
        body = _layer_body(band, layer) if layer.flow is not None else None
        if body is not None and layer.flow is not None:
            inside = np.float32(layer.flow)
            own = inside if layer.sheets is None else np.maximum(inside, _woven(band, layer, layer.sheets, body.box))
            _blend(flow[body.box], own, body.share)
    for balls in lesions.balls:
        for row in balls.rows:
            found = _ball(band, balls, row)
            if found is None:
                continue
            box, rho, axial = found
            if row[5] == 0:
                flow[box] *= 1 - _soft_ball(band, rho, axial)
            else:
                glow = np.float32(row[5]) * np.exp(np.square(rho) * np.float32(-0.5 / GLOW**2))
                np.maximum(flow[box], glow, out=flow[box])


def paint_tissue(band: Band, lesions: Lesions, grey: Map) -> None:
    """Put the lesions' tissue and fluid into the noise-free OCT grey values `grey` (X, Y, B), in place."""
    for layer in lesions.layers:
        body = _layer_body(band, layer) if layer.grey is not None else None
        if body is not None and layer.grey is not None:
            inside = np.float32(layer.grey)
            _blend(grey[body.box], np.maximum(grey[body.box], inside) if layer.translucent else inside, body.share)
    for balls in lesions.balls:
        if balls.grey is None:
            continue
        for row in balls.rows:
            found = _ball(band, balls, row)
            if found is not None:
                box, rho, axial = found
                _blend(grey[box], np.float32(balls.grey), _soft_ball(band, rho, axial))


def lesion_mask(
    band: Band,
    lesions: Lesions,
    superficial: NDArray[np.bool_],
    deep: NDArray[np.bool_],
    choriocapillaris: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The `Finding` of each voxel (X, Y, B), 0 where healthy.

    The last three arguments (X, Y, B) mark the voxels in whose depth those capillaries lie.
    """
    mask = np.zeros(band.z_um.shape, np.uint8)
    sample = band.grid.sample
    for kept, depths, finding in (
        (lesions.kept_choriocapillaris, choriocapillaris, Finding.CHORIOCAPILLARIS_DEFICIT),
        (sample(lesions.kept_superficial), superficial, Finding.CAPILLARY_DROPOUT),
        (sample(lesions.kept_deep), deep, Finding.CAPILLARY_DROPOUT),
    ):
        closed = kept < CLOSED
        mask[closed] = np.where(depths[closed], np.uint8(finding), mask[closed])
    for layer in lesions.layers:
        body = _layer_body(band, layer) if layer.finding is not None else None
        if body is not None:
            mask[body.box][body.share >= 0.5] = np.uint8(layer.finding or 0)
    for balls in lesions.balls:
        for row in balls.rows if balls.finding is not None else ():
            found = _ball(band, balls, row)
            if found is not None:
                mask[found[0]][found[1] <= 1] = np.uint8(balls.finding or 0)
    return mask


def _blend(values: Map, inside: Map | np.float32, share: Map) -> None:
    values += share * (inside - values)


def _layer_body(band: Band, layer: TissueLayer) -> _Body | None:
    """Where a layer lies; None if it has no thickness anywhere."""
    present = layer.top_um > layer.bottom_um
    if not present.any():
        return None
    rows, columns = (slice(i.min(), i.max() + 1) for i in np.nonzero(present))
    near, there = (rows, columns), present[rows, columns]
    base, top, bottom = band.surfaces_um[layer.surface][near], layer.top_um[near], layer.bottom_um[near]
    width = _edge_um(band)
    depths = _depths(band, near, np.where(there, base - top, np.inf), np.where(there, base - bottom, -np.inf))
    box = (rows, columns, depths)
    height = base[..., None] - band.z_um[box]
    height /= width
    share = np.clip(0.5 + (top / width)[..., None] - height, 0, 1)
    share += np.clip(height + (0.5 - bottom / width)[..., None], 0, 1)
    share -= 1
    return _Body(box, np.maximum(share, 0, out=share))


def _woven(band: Band, layer: TissueLayer, sheets: Sheets, box: Box) -> Map:
    """Flow of the vessels of a layer in a part of the band."""
    rows, columns, _ = box
    height = band.surfaces_um[layer.surface][rows, columns, None] - band.z_um[box]
    scale = np.float32(-0.5 / max(SHEET_UM, 0.5 * band.grid.voxel_um[2]) ** 2)
    flow = np.zeros_like(height)
    top = layer.top_um[rows, columns]
    for at, net in zip(sheets.heights_um[:, rows, columns], sheets.nets[:, rows, columns], strict=True):
        profile = np.exp(scale * np.square(height - np.minimum(at, top)[..., None]))
        np.maximum(flow, net[..., None] * profile, out=flow)
    return flow


def _ball(band: Band, balls: Balls, row: NDArray[np.float64]) -> tuple[Box, Map, Map] | None:
    """Where a ball lies, the relative radius of each voxel there (1 at its surface), and its axial radius (x, y)."""
    x, y, place, lateral, axial = (float(v) for v in row[:5])
    step = band.grid.voxel_um
    wide = [np.hypot(lateral, BEAM * s) / 1000 for s in step[:2]]
    at = band.grid.coarse
    near = window(at, (x, y), 2 * max(wide))
    if 0 in at[0][near].shape:
        return None
    upper, lower = (band.surfaces_um[k][near] for k in balls.between)
    centre = upper + np.float32(place) * (lower - upper)
    high = np.maximum(np.minimum(np.float32(axial), MOST_OF_LAYER * (lower - upper)), BEAM * np.float32(step[2]))
    box = (*near, _depths(band, near, centre - 2 * high, centre + 2 * high))
    sideways = np.square((at[0][near] - np.float32(x)) / np.float32(wide[0]))
    sideways += np.square((at[1][near] - np.float32(y)) / np.float32(wide[1]))
    rho = (band.z_um[box] - centre[..., None]) / high[..., None]
    np.square(rho, out=rho)
    rho += sideways[..., None]
    return box, np.sqrt(rho, out=rho), high


def _soft_ball(band: Band, rho: Map, axial_um: Map) -> Map:
    """Share of each voxel that lies within a ball of relative radii `rho`."""
    share = (1 - rho) * (axial_um / _edge_um(band))[..., None]
    share += 0.5
    return np.clip(share, 0, 1, out=share)


def _depths(band: Band, near: tuple[slice, slice], upper_um: Map, lower_um: Map) -> slice:
    """The band's voxels of a window that may lie between two depths (x, y)."""
    first, step = band.index[(*near, 0)], band.grid.voxel_um[2]
    low = np.floor((upper_um / step - first).min()) - 1
    high = np.ceil((lower_um / step - first).max()) + 1
    length = band.index.shape[2]
    return slice(int(np.clip(low, 0, length)), int(np.clip(high, 0, length)))


def _edge_um(band: Band) -> np.float32:
    return np.float32(max(EDGE_UM, band.grid.voxel_um[2]))
