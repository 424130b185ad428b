"""What the phantom makes: one synthetic eye, with the true surfaces and lesions, which a real release does not have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.io.octa500 import SURFACES
from octa_kedro.io.volume import Laterality
from octa_kedro.preprocessing.projection import project_mean


@dataclass(frozen=True)
class PhantomEye:
    """One synthetic scan, as a device would record it (a left eye is not mirrored).

    `oct` (0..255) and `octa` (not stretched, about 0..85) are uint8 ``[x, y, z]``; `surfaces` is float32
    ``(6, x, y)``, depths in 0-based voxel indices in the order of `io.release.SURFACES`; `lesion` is uint8
    ``[x, y, z]``, a `lesions.model.Finding` inside a lesion and 0 elsewhere; `extent_mm` are the edge
    lengths (x, y, z) of the scan.
    """

    oct: NDArray[np.uint8]
    octa: NDArray[np.uint8]
    surfaces: NDArray[np.float32]
    lesion: NDArray[np.uint8]
    extent_mm: tuple[float, float, float]
    laterality: Laterality

    @property
    def projections(self) -> dict[str, NDArray[np.float32]]:
        """The release's six projection maps ``[x, y]`` by name: means of the whole depth and of two slabs."""
        opl, bm = self.surfaces[SURFACES.index("OPL_ONL")], self.surfaces[SURFACES.index("BM")]
        whole = (np.zeros_like(opl), np.full_like(opl, self.oct.shape[2]))
        slabs = {"FULL": whole, "ILM_OPL": (self.surfaces[0], opl), "OPL_BM": (opl, bm)}
        return {
            f"{modality}({name})": project_mean(array, *edges)
            for modality, array in (("OCT", self.oct), ("OCTA", self.octa))
            for name, edges in slabs.items()
        }
