"""Parameters of grey levels."""

from typing import Literal

from pydantic import Field, model_validator

from octa_kedro.config import Config


class IntensityConfig(Config):
    """Between which percentiles of the non-zero voxels grey levels are kept, and how they are scaled to [0, 1].

    `below` says what darker voxels become: "zero" (0, as in the original system) sets them apart from the darkest grey
    that is kept; "lower" (the lower percentile's value) leaves no such step, for en-face maps, where a step turns
    the foveal avascular zone and single dark pixels black. With a small `lower` the grey inside drop-out is kept too.
    `scale` "minmax" maps the lowest and the highest value left to 0 and 1. "zscore" makes the mean of the
    voxels that the percentiles were taken of .5 and `sd_range` deviations 0 and 1 (cut beyond), so that what a
    network sees after its own (x - .5) / .5 is the z-score divided by `sd_range`, and 16 bits can store it.
    """

    lower: float = Field(5.0, ge=0, lt=100)
    upper: float = Field(99.9, gt=0, le=100)
    below: Literal["zero", "lower"] = "zero"
    scale: Literal["minmax", "zscore"] = "minmax"
    sd_range: float = Field(4.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> "IntensityConfig":
        if self.lower >= self.upper:
            raise ValueError(f"lower ({self.lower:g}) must be below upper ({self.upper:g})")
        return self
