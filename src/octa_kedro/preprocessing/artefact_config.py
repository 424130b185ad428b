"""Parameters of the removal of projection artefacts."""

from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from octa_kedro.config import Config

RESOLVED, SUBTRACTED = "projection_resolved", "slab_subtraction"


class ArtefactConfig(Config):
    """How the tails that vessels cast into deeper layers are removed from an OCTA volume.

    `projection_resolved` needs the OCT scan: flow is divided by reflectance, and what stays below `ratio` times the
    highest value more than `vessel_um` above it is projection. `removal` says what becomes of it: "subtract" takes
    that much flow away from every voxel below a vessel, "zero" blackens voxels that show no more than it, as
    published. Flow and reflectance are averaged over `smoothing_um` of depth first, since single voxels are speckle.

    `slab_subtraction` needs surfaces: the mean flow between ILM and IPL/INL times `weight` is taken away from what
    lies below; null fits a weight for each depth of each eye.
    """

    method: Literal["none", "projection_resolved", "slab_subtraction"] = "none"
    ratio: PositiveFloat = Field(0.25, le=1)
    removal: Literal["subtract", "zero"] = "subtract"
    smoothing_um: PositiveFloat = 60.0
    vessel_um: float = Field(60.0, ge=0)
    weight: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _used(self) -> "ArtefactConfig":
        if self.weight is not None and self.method != SUBTRACTED:
            raise ValueError(f"weight ({self.weight:g}) is of slab_subtraction only, but method is {self.method}")
        return self
