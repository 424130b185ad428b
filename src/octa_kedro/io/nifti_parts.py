"""Reads what belongs to a scan from NIfTI files of its own: lesion masks and surfaces, on the grid of the scan."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.masks import as_mask
from octa_kedro.io.millimetres import Anatomy
from octa_kedro.io.nifti_grid import NiftiGrid, read_grid, require_same_grid
from octa_kedro.io.octa500 import SURFACES
from octa_kedro.io.surface_files import check_surfaces

SURFACE_NAMES = {2: ("ILM", "BM"), 3: ("ILM", "OPL_ONL", "BM"), 6: SURFACES}


def read_mask(path: Path, scan: NiftiGrid, *, subject: str, anatomy: Anatomy) -> NDArray[np.uint8]:
    """The mask (0 and 1) in a NIfTI file, on the grid of the `scan`; DataError if it lies elsewhere or is no mask."""
    grid = read_grid(path, anatomy)
    require_same_grid(grid, scan, what="mask", subject=subject)
    return as_mask(path, grid.read())


def read_surfaces(
    path: Path, scan: NiftiGrid, *, subject: str, anatomy: Anatomy
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Names and depths ``[x, y, surface]`` in millimetres, in the frame of the `scan`.

    DataError if they lie on another grid, are no 2, 3 or 6 surfaces, or do not fit the scan.
    """
    grid = read_grid(path, anatomy, planes=True)
    names = SURFACE_NAMES.get(grid.shape[2])
    if names is None or grid.shape[:2] != scan.shape[:2]:
        raise DataError(
            f"{path}: surfaces of shape {grid.shape}, but {subject} needs {scan.shape[:2]} x 2 "
            "(ILM, BM), 3 (ILM, OPL_ONL, BM) or 6"
        )
    require_same_grid(grid, scan, what="surfaces", subject=subject, axes=2)
    depths, affine = np.asarray(grid.read(), np.float32), scan.affine
    _require_millimetres(path, depths, scan)
    voxels = (depths - affine[2, 3]) / affine[2, 2]
    check_surfaces(voxels, names, depth=scan.shape[2], who=f"subject {subject}: {path} (in millimetres)")
    return names, depths


def _require_millimetres(path: Path, depths: NDArray[np.float32], scan: NiftiGrid) -> None:
    """DataError if the lowest surface lies far below the scan, but within it in voxels or micrometres."""
    deepest = depths[..., -1]
    typical = float(np.median(deepest[np.isfinite(deepest)])) if np.isfinite(deepest).any() else 0.0
    n, step, start = scan.shape[2], scan.spacing[2], float(scan.affine[2, 3])
    if typical <= start + 2 * n * step:  # else some A-scans are wrong, and not the unit
        return
    units = {"voxels": typical * step, "micrometres": typical / 1000}
    if likely := [unit for unit, depth in units.items() if step <= depth <= n * step]:
        raise DataError(
            f"{path}: its surfaces lie at up to {typical:.4g} mm, below the scan, which is {n * step:.4g} mm deep; "
            f"they look like {' or '.join(likely)}: write them in millimetres"
        )
