"""Parameters of registration."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from octa_kedro.config import Config
from octa_kedro.identifiers import Given

Method = Literal["none", "translation", "rigid", "affine", "bspline"]


class RegistrationConfig(Config):
    """How eyes are brought into the frame of a reference eye.

    `reference` names it for each field of view in millimetres (3, 6), or "auto" takes the eye nearest
    to the median shape. Images are registered at `spacing_mm`, coarsest level of the `pyramid` (factors) first.
    `min_overlap` is the Dice coefficient of the two retinas that has to be reached; the other limits are those
    of the shift of the field's centre, the rotation and the scale (1.2 allows 1 / 1.2 to 1.2).
    """

    method: Method = "none"
    image: Literal["surfaces", "oct"] = "surfaces"
    reference: Literal["auto"] | dict[float, Given] = "auto"
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.08, 0.08, 0.02)
    pyramid: tuple[PositiveInt, ...] = (2, 1)
    iterations: PositiveInt = 60
    bspline_cell_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 0.5)
    min_overlap: Annotated[float, Field(ge=0, le=1)] = 0.8
    max_shift_mm: PositiveFloat = 1.0
    max_rotation_deg: PositiveFloat = 15.0
    max_scale: Annotated[float, Field(ge=1)] = 1.25
