"""Parameters of patches."""

from pydantic import Field, PositiveInt

from octa_kedro.config import Config
from octa_kedro.preprocessing.intensity_config import IntensityConfig


class PatchConfig(Config):
    """`n` x `n` patches of `size` x `size` pixels.

    With `match_contrast` a map is first clipped as `intensity` says and equalised within `tiles` x `tiles` parts of
    limited contrast, every map by the same rule, so that scans of different density show vessels alike.
    """

    n: PositiveInt = 2
    size: PositiveInt = 100
    match_contrast: bool = True
    intensity: IntensityConfig = IntensityConfig(lower=5.0, upper=99.9)
    tiles: int = Field(4, ge=1)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each patch by row and column, in the order of `split_patches`: r1c1, r1c2, ..."""
        return tuple(f"r{row + 1}c{column + 1}" for row in range(self.n) for column in range(self.n))
