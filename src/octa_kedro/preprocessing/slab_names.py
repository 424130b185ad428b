"""The slabs of the retina by name: which surfaces bound each."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from octa_kedro.errors import ConfigError


@dataclass(frozen=True)
class Slab:
    """What lies between two surfaces, each moved into the eye by so many micrometres; None is the scan's end."""

    upper: str | None
    lower: str | None
    upper_um: float = 0.0
    lower_um: float = 0.0


# The vascular slabs end on the anatomical borders: devices add offsets of 5 to 15 um, each maker its own.
_SUPERFICIAL = Slab("ILM", "IPL_INL")  # nerve fibres, ganglion cells, inner plexiform layer
_DEEP = Slab("IPL_INL", "OPL_ONL")  # the plexuses on both sides of the inner nuclear layer
SLABS: dict[str, Slab] = {
    "SVP": _SUPERFICIAL,
    "SRL": _SUPERFICIAL,
    "DVP": _DEEP,
    "DRL": _DEEP,
    # without vessels in a healthy eye: below the outer plexiform layer, the epithelium included, as OCTA-500's OPL_BM
    "outer_retina": Slab("OPL_ONL", "BM"),
    # one layer of capillaries right under BM, together with the blur of a scan's depth resolution
    "choriocapillaris": Slab("BM", "BM", 0.0, 30.0),
    "ILM_OPL": Slab("ILM", "OPL_ONL"),
    "OPL_BM": Slab("OPL_ONL", "BM"),
    "ILM_BM": Slab("ILM", "BM"),
    "FULL": Slab(None, None),
}
"""SRL and DRL are other names of SVP and DVP. ILM_OPL, OPL_BM and FULL are the projections OCTA-500 comes with."""


def find_slab(name: str) -> Slab:
    """The slab called `name`; ConfigError suggests the nearest names."""
    if name in SLABS:
        return SLABS[name]
    folded = {known.casefold(): known for known in SLABS}
    near = [folded[match] for match in get_close_matches(name.casefold(), folded, n=2, cutoff=0.5)]
    guess = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(SLABS)}"
    raise ConfigError(f"slab {name!r} is unknown; {guess}")


Method = Literal["mean", "max", "sum"]
