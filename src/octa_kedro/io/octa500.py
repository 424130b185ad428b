"""Constants of the OCTA-500 release, which can be used without its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEPTH_MM = 2.0
Disease = Literal["NORMAL", "AMD", "CNV", "CSC", "DR", "RVO", "OTHERS"]
DISEASES: tuple[Disease, ...] = get_args(Disease)
"""The words for diseases in the label sheet of the release."""
LABEL_SHEETS = ("Text labels.xlsx", "Text labels.csv")
SURFACES = ("ILM", "IPL_INL", "OPL_ONL", "IS_OS", "RPE", "BM")
# The release counts depth from 1 (as MATLAB does); the phantom is written the same way.
SURFACE_INDEX_BASE = 1


def plane_to_picture(plane: NDArray) -> NDArray:
    """A plane ``[x, y]`` as a picture with superior at the top, as the release's maps are."""
    return plane.T[::-1]
