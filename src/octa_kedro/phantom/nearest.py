"""Nearest neighbours among growing vessels: nodes are sorted into square cells, and compiled loops search the cells.

A step of growth adds few nodes, which are searched once, so that building a k-d tree for each step would take longer.
Only loops are compiled: with NumPy's functions in them, compilation took about three times as long. The first call on a
machine compiles them; the result is stored beside this file or in the user's cache.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octa_kedro.phantom.tissue import Points

Indices = NDArray[np.intp]


class _Cells(NamedTuple):
    """Nodes (M, 2) by cells `width` wide: `order[start[i, j] : start[i, j] + number[i, j]]` lie in cell (i, j)."""

    nodes: Points
    order: Indices
    start: Indices
    number: Indices
    origin: Points
    width: float


def approach(points: Points, distance: Points, nearest: Indices, nodes: Points, *, first: int, cell_mm: float) -> None:
    """Replace the nearest node of each of `points` (N, 2) if one of `nodes` (M, 2) is nearer than it.

    `distance` (N,), which may be infinite, and `nearest` (N,) are changed in place. Nodes are numbered from `first` on.
    Cells are `cell_mm` wide; any width gives the same result.
    """
    if len(nodes):
        _approach(points, distance, nearest, _sort_into_cells(nodes, cell_mm), first)


def partners(nodes: Points, parent: Indices, tips: Indices, reach_mm: float, generations: int) -> Indices:
    """The node (T,) nearest to each of `tips` (T,) within `reach_mm` that is not its ancestor; -1 if there is none.

    `generations` is how many nodes from the tip back are excluded, the tip itself included.
    """
    ancestors = np.empty((len(tips), generations), np.intp)
    ancestor = tips
    for generation in range(generations):
        ancestors[:, generation] = ancestor
        ancestor = np.where(ancestor >= 0, parent[ancestor], -1)
    found = np.full(len(tips), -1)
    _find_partners(tips, ancestors, reach_mm, _sort_into_cells(nodes, reach_mm / 2), found)
    return found


def _sort_into_cells(nodes: Points, width: float) -> _Cells:
    x, y = nodes.T
    origin = np.array([x.min(), y.min()])
    i, j = (((along - low) / width).astype(np.intp) for along, low in zip((x, y), origin, strict=True))
    shape = i.max() + 1, j.max() + 1
    flat = i * shape[1] + j
    count = np.bincount(flat, minlength=shape[0] * shape[1])
    order, start = np.argsort(flat, kind="stable"), count.cumsum() - count
    return _Cells(nodes, order, start.reshape(shape), count.reshape(shape), origin, width)


@njit(cache=True)
def _approach(points: Points, distance: Points, nearest: Indices, cells: _Cells, first: int) -> None:
    nodes, order, start, number, origin, width = cells
    rows, columns = number.shape
    for point in range(len(points)):
        x, y = points[point, 0], points[point, 1]
        row, column = int((x - origin[0]) // width), int((y - origin[1]) // width)
        # rings of cells around the point's own, from the first that is not wholly outside to the last
        ring = max(-row, row - rows + 1, -column, column - columns + 1, 0)
        last = max(row, rows - 1 - row, column, columns - 1 - column)
        while ring <= last and (ring - 1) * width < distance[point]:
            for i in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
                inner = abs(i - row) < ring
                for j in range(column - ring, column + ring + 1, 2 * ring if inner else 1):
                    if 0 <= j < columns:
                        for k in range(start[i, j], start[i, j] + number[i, j]):
                            node = order[k]
                            away = math.sqrt((nodes[node, 0] - x) ** 2 + (nodes[node, 1] - y) ** 2)
                            if away < distance[point]:
                                distance[point], nearest[point] = away, first + node
            ring += 1


@njit(cache=True)
def _find_partners(tips: Indices, ancestors: Indices, reach: float, cells: _Cells, found: Indices) -> None:
    nodes, order, start, number, origin, width = cells
    rows, columns = number.shape
    for tip in range(len(tips)):
        x, y = nodes[tips[tip], 0], nodes[tips[tip], 1]
        row, column = int((x - origin[0]) // width), int((y - origin[1]) // width)
        best = reach
        # cells are half the reach wide
        for i in range(max(row - 2, 0), min(row + 2, rows - 1) + 1):
            for j in range(max(column - 2, 0), min(column + 2, columns - 1) + 1):
                for k in range(start[i, j], start[i, j] + number[i, j]):
                    node = order[k]
                    away = math.sqrt((nodes[node, 0] - x) ** 2 + (nodes[node, 1] - y) ** 2)
                    if away < best:
                        related = False
                        for one in ancestors[tip]:
                            related = related or one == node
                        if not related:
                            best, found[tip] = away, node
