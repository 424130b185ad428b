"""Grey levels to [0, 1]."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from octa_kedro.config import Config
from octa_kedro.errors import DataError


class IntensityConfig(Config):
    """Percentiles of the non-zero voxels between which grey levels are kept."""

    lower: float = Field(5.0, ge=0, lt=100)
    upper: float = Field(99.9, gt=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> "IntensityConfig":
        if self.lower >= self.upper:
            raise ValueError(f"lower ({self.lower:g}) must be below upper ({self.upper:g})")
        return self


def clip_and_scale(array: NDArray, config: IntensityConfig, *, what: str) -> NDArray[np.float32]:
    """`array` clipped at percentiles of its non-zero values, then min-max scaled to [0, 1].

    Values below the lower percentile become 0 and those above the upper one take its value, as the original
    system does. `what` names the eye in the DataError that NaN, an empty or a constant array raises.
    """
    if not np.isfinite(array).all():
        raise DataError(f"{what}: holds NaN or infinite values; replace the volume or leave the eye out")
    filled = array[array != 0]
    if not filled.size:
        raise DataError(f"{what}: is empty (all zero); replace the volume or leave the eye out")
    low, high = np.percentile(filled, [config.lower, config.upper])
    clipped = np.where(array < low, 0, np.minimum(array, high)).astype(np.float32)
    floor, ceiling = float(clipped.min()), float(clipped.max())
    if ceiling <= floor:
        raise DataError(f"{what}: is constant ({ceiling:g}); replace the volume or leave the eye out")
    return (clipped - np.float32(floor)) / np.float32(ceiling - floor)
