"""Projection artefacts removed from an OCTA volume: the tails that vessels cast into deeper layers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.artefact_config import RESOLVED, SUBTRACTED, ArtefactConfig
from octa_kedro.preprocessing.projection_resolved import resolve_projections
from octa_kedro.preprocessing.slab_subtraction import subtract_superficial

ARTEFACTS = "projection_artefacts"  # under which a stored image's facts say what was removed


def remove_artefacts(
    octa: Volume, oct_scan: Volume | None, surfaces: PlaneStack | None, config: ArtefactConfig
) -> tuple[Volume, dict[str, Any] | None]:
    """The scan ``[x, y, z]`` without projection artefacts, and what was done as plain data; itself and None by `none`.

    No voxel becomes brighter, none negative; type, shape and affine stay. The facts are the `method`, the share of the
    volume's summed flow that was removed, and of `slab_subtraction` the weights by depth. DataError if the method
    needs the OCT scan (of the same voxels) or surfaces and they are missing or do not fit.
    """
    if config.method == RESOLVED:
        reflectance = _require_oct(octa, oct_scan)
        array = resolve_projections(octa.array, reflectance.array, 1000 * octa.spacing[2], config)
        facts: dict[str, Any] = {"method": RESOLVED}
    elif config.method == SUBTRACTED:
        if surfaces is None:
            raise DataError(f"{octa.source}: slab_subtraction needs the surfaces of the retina, but the eye has none")
        array, weights = subtract_superficial(octa, surfaces, config.weight)
        facts = {"method": SUBTRACTED, "weights": [round(float(weight), 4) for weight in weights]}
    else:
        return octa, None
    before, after = (float(a.sum(dtype=np.float64)) for a in (octa.array, array))
    return octa.with_array(array), facts | {"removed_share": round(1 - after / before, 4) if before > 0 else 0.0}


@contextmanager
def oct_needed_by(config: ArtefactConfig) -> Iterator[None]:
    """A DataError of the block, which reads the OCT scan, says also why the scan is read."""
    try:
        yield
    except DataError as error:
        if config.method != RESOLVED:
            raise
        raise DataError(
            f"{error}. processing.projection_artefacts.method {RESOLVED} needs the OCT scan beside the OCTA scan; "
            f"supply it, or choose {SUBTRACTED} or none"
        ) from error


def _require_oct(octa: Volume, oct_scan: Volume | None) -> Volume:
    with oct_needed_by(ArtefactConfig(method=RESOLVED)):
        if oct_scan is None:
            raise DataError(f"{octa.source}: there is no OCT scan")
        if oct_scan.array.shape != octa.array.shape:
            raise DataError(
                f"{octa.source}: its OCT scan has {oct_scan.array.shape} voxels, the OCTA scan {octa.array.shape}"
            )
        if not np.allclose(oct_scan.extent_mm, octa.extent_mm, rtol=0.01):
            raise DataError(
                f"{octa.source}: its OCT scan is {oct_scan.extent_mm} mm large, the OCTA scan {octa.extent_mm} mm"
            )
        # a source with one file per eye gives that file for either modality
        if np.array_equal(oct_scan.array, octa.array):
            raise DataError(f"{octa.source}: what is given as its OCT scan is the OCTA scan itself")
    return oct_scan
