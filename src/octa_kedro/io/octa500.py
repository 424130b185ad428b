"""Facts of the OCTA-500 release that need no file."""

from typing import Literal, get_args

DEPTH_MM = 2.0
Disease = Literal["NORMAL", "AMD", "CNV", "CSC", "DR", "RVO", "OTHERS"]
DISEASES: tuple[Disease, ...] = get_args(Disease)
"""The disease words of its label sheet."""
