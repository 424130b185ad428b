"""Parameters of explanation."""

from pydantic import Field, PositiveFloat

from octa_kedro.config import Config


class ExplainConfig(Config):
    """What is explained, and how finely.

    `target_class` is the index of the class whose evidence is mapped. The layer is the last one whose cells
    are at most `depth_cell_mm` deep (3D) or `lateral_cell_mm` wide (2D), or simply the last where that is
    None. `lesion_slabs` says in which slab a disease's lesions lie, for scoring.
    """

    target_class: int = Field(1, ge=0)
    depth_cell_mm: PositiveFloat | None = 0.1
    lateral_cell_mm: PositiveFloat | None = 0.4
    lesion_slabs: dict[str, str] = Field({"DR": "ILM_OPL", "RVO": "ILM_OPL", "CNV": "OPL_BM", "CSC": "OPL_BM"})
    device: str = "auto"


NOT_IN_MAPS = {
    "device": "says where a map is computed, not what it shows",
    "lesion_slabs": "is for scoring maps only",
}
"""Parameters that change no map; every other one, also one that is added later, makes other maps."""
