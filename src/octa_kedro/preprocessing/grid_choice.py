"""`processing.grid: auto`: the number of voxels that follows from the scans of a cohort."""

import logging
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from octa_kedro.errors import DataError
from octa_kedro.io.source import Source
from octa_kedro.preprocessing.config import AUTO, ProcessingConfig
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye, tell_left_out

MOST, LEAST, STEP = 96, 32, 8
"""Voxels along an axis: at most and at least, and what their number is a multiple of (networks halve it repeatedly)."""

log = logging.getLogger(__name__)


def settle_processing(
    source: Source, subjects: Iterable[str], config: ProcessingConfig, *, on_error: OnError = "stop"
) -> ProcessingConfig:
    """The configuration with a grid in numbers: its own, or the one that follows from the scans of these `subjects`.

    Where the grid is ``auto``, headers are read; DataError if one cannot be and `on_error` says to stop, or if none
    can. It is logged which grid was chosen.
    """
    if config.grid != AUTO:
        return config
    names = sorted(str(subject) for subject in subjects)
    if not names:
        return config.model_copy(update={"grid": (LEAST, LEAST, LEAST)})  # there is nothing to process
    looked = each_eye(names, lambda subject: source.dimensions(subject, config.modality), on_error)
    tell_left_out(looked.failed, "processing.grid")
    if not (scans := [*looked.done.values()]):
        raise DataError(f"no eye has a readable scan; the first: {next(iter(looked.failed.values()))}")
    counts = np.median([shape for shape, _ in scans], axis=0)
    extent_mm = np.median([extent for _, extent in scans], axis=0)
    grid = choose_grid(*_kept(counts, extent_mm, config))
    log.info(
        "processing.grid: auto is %d x %d x %d voxels, since the median scan has %s and is %s mm large",
        *grid,
        " x ".join(f"{n:g}" for n in counts),
        " x ".join(f"{mm:.3g}" for mm in extent_mm),
    )
    return config.model_copy(update={"grid": grid})


def choose_grid(counts: npt.ArrayLike, extent_mm: npt.ArrayLike) -> tuple[int, int, int]:
    """The grid for scans of `counts` voxels over `extent_mm` millimetres along (x, y, z).

    Voxels are cubes of the size that gives the longest edge `MOST` of them, so that the grid has the proportions of
    the scan in millimetres; along an axis where the scan itself has fewer, as many as that. Then each number is
    rounded to the nearest multiple of `STEP`, and to `LEAST` at least.
    """
    extent = np.asarray(extent_mm, float)
    wanted = np.minimum(np.asarray(counts, float), extent / extent.max() * MOST)
    x, y, z = (int(max(LEAST, STEP * np.floor(n / STEP + 0.5))) for n in wanted)
    return x, y, z


def _kept(
    counts: npt.NDArray[np.float64], extent_mm: npt.NDArray[np.float64], config: ProcessingConfig
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Voxels and millimetres of what is kept of a scan, at the sampling that it is averaged to."""
    fields = (*(config.field_mm or (np.inf, np.inf)), config.depth_mm or np.inf)
    kept = np.minimum(extent_mm, fields)
    spacing = extent_mm / counts
    if config.sampling_mm is not None:
        spacing[:2] = np.maximum(spacing[:2], config.sampling_mm)
    return kept / spacing, kept
