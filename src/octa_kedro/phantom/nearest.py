"""Nearest neighbours among growing vessels: nodes are sorted into square cells, and compiled loops look round a place.

The nodes of one step of growth are few and asked about once, so that a k-d tree made for each step takes longer.
Only loops are compiled: with NumPy's functions among them compilation took about three times as long. The first call on
a machine compiles; the result is kept beside this file or in the user's cache.
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
    """Tell each of `points` (N, 2) of `nodes` (M, 2) nearer to it than its `nearest` so far; both (N,) are changed.

    `distance` (N,) may be infinite. Nodes are numbered from `first` on. Cells are `cell_mm` wide; any width gives
    the same answer.
    """
    if len(nodes):
        _approach(points, distance, nearest, _sort_into_cells(nodes, cell_mm), first)


def partners(nodes: Points, parent: Indices, tips: Indices, reach_mm: float, generations: int) -> Indices:
    """The nearest node (T,) to each of `tips` (T,) within reach that is none of its last `generations`; -1 if none.

    A tip itself counts as the first of its generations.
    """
    kin = np.empty((len(tips), generations), np.intp)
    forebear = tips
    for generation in range(generations):
        kin[:, generation] = forebear
        forebear = np.where(forebear >= 0, parent[forebear], -1)
    found = np.full(len(tips), -1)
    _find_partners(tips, kin, reach_mm, _sort_into_cells(nodes, reach_mm / 2), found)
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
        # rings round the point's own cell, from the first that is not wholly outside to the last
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
def _find_partners(tips: Indices, kin: Indices, reach: float, cells: _Cells, found: Indices) -> None:
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
                        for one in kin[tip]:
                            related = related or one == node
                        if not related:
                            best, found[tip] = away, node
