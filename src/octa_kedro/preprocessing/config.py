"""What network inputs are made of, and the proof that an image was made so."""

from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt, field_validator, model_validator

from octa_kedro.config import Config
from octa_kedro.errors import ConfigError
from octa_kedro.preprocessing.artefact_config import RESOLVED, SUBTRACTED, ArtefactConfig
from octa_kedro.preprocessing.intensity_config import IntensityConfig
from octa_kedro.preprocessing.registration_config import RegistrationConfig
from octa_kedro.preprocessing.slab_names import Method, find_slab

VOLUME, ENFACE, SURFACES, LESION, OCT, FLATTEN = PARTS = ("volume", "enface", "surfaces", "lesion", "oct", "flatten")
"""What is made of an eye, as far as the source and the configuration have it."""

_OF_MAPS, _OF_OCT = frozenset({"slabs", "projection", "enface_intensity"}), frozenset({"with_oct", "oct_intensity"})
_OF_VOLUMES, _OF_FLOW = frozenset({"intensity", "mask_slab"}), frozenset({"projection_artefacts"})
WITHOUT: dict[str, frozenset[str]] = {
    VOLUME: _OF_MAPS | _OF_OCT,
    OCT: _OF_MAPS | _OF_FLOW | {"intensity"},
    ENFACE: _OF_VOLUMES | _OF_OCT,
    **dict.fromkeys((SURFACES, LESION, FLATTEN), _OF_VOLUMES | _OF_MAPS | _OF_OCT | _OF_FLOW),
}
"""Settings that do not matter to a part."""


AUTO = "auto"


class ProcessingConfig(Config):
    """What network inputs are made of.

    `grid` is the number of voxels along (x, y, z), or ``auto``: what follows from the scans (`grid_choice`).
    `field_mm` is the centre field kept laterally and `depth_mm` the depth kept round the middle of `depth_slab`; null
    keeps all of the scan. `mirror_left` turns left eyes, so that x runs from temporal to nasal in all. `flatten`
    straightens a surface. `sampling_mm` is the lateral sampling that finer scans are first averaged to, so that a
    field of view cannot be told by its texture. `mask_slab` blackens what lies outside a slab. `slabs` are the en-
    face maps to make, by `projection`. With `with_oct` the OCT scan is processed the same way beside the `modality`
    that networks see, with grey levels by `oct_intensity`. Projection artefacts are removed from the angiography
    before anything is made of it, as `projection_artefacts` says.
    """

    modality: str = "OCTA"
    projection_artefacts: ArtefactConfig = ArtefactConfig()
    grid: tuple[PositiveInt, PositiveInt, PositiveInt] | Literal["auto"] = (64, 64, 96)
    field_mm: tuple[PositiveFloat, PositiveFloat] | None = (3.0, 3.0)
    depth_mm: PositiveFloat | None = 0.8
    depth_slab: str = "ILM_BM"
    mirror_left: bool = True
    registration: RegistrationConfig = RegistrationConfig()
    flatten: Literal["ILM", "BM"] | None = None
    sampling_mm: PositiveFloat | None = None
    mask_slab: str | None = None
    intensity: IntensityConfig = IntensityConfig()
    oct_intensity: IntensityConfig = IntensityConfig(lower=0.5, below="lower")
    enface_intensity: IntensityConfig = IntensityConfig()
    slabs: tuple[str, ...] = ("ILM_OPL", "OPL_BM")
    projection: Method = "mean"
    with_oct: bool = False

    @field_validator("slabs", "depth_slab", "mask_slab")
    @classmethod
    def _known_slabs(cls, given: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        for slab in (given,) if isinstance(given, str) else given or ():
            try:
                find_slab(slab)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return given

    @field_validator("depth_slab")
    @classmethod
    def _has_a_middle(cls, slab: str) -> str:
        if slab == "FULL":
            raise ValueError("slab FULL has no depth of its own to crop round; choose one between two surfaces")
        return slab

    @model_validator(mode="after")
    def _flow_to_clean(self) -> "ProcessingConfig":
        method = self.projection_artefacts.method
        if method != "none" and self.modality == "OCT":
            raise ValueError(f"projection_artefacts.method: {method} is for angiography, but modality is OCT; say none")
        return self

    @property
    def voxels(self) -> tuple[int, int, int]:
        """The grid in numbers; ConfigError where the scans have yet to settle it."""
        if isinstance(self.grid, str):
            raise ConfigError(f"processing.grid is {AUTO}, which the scans of the cohort have not settled yet")
        return self.grid

    @property
    def needs_surfaces(self) -> bool:
        """Whether the retina has to be found in each eye."""
        return (
            self.depth_mm is not None
            or bool(self.slabs)
            or self.flatten is not None
            or self.mask_slab is not None
            or self.registration.method != "none"
            or self.projection_artefacts.method == SUBTRACTED
        )

    @property
    def reads_oct(self) -> bool:
        """Whether an eye's OCT scan is needed beside its `modality`."""
        registered = self.registration.method != "none" and self.registration.image == "oct"
        return self.with_oct or registered or self.projection_artefacts.method == RESOLVED

    def settings_of(self, part: str) -> dict[str, Any]:
        """The settings that a part of the processed eye (`PARTS`) depends on; a change of others leaves it as it is."""
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in WITHOUT[part]}
