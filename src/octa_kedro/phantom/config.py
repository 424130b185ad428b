"""Settings of the synthetic cohort; lengths in millimetres or micrometres as the field's name says.

Ranges are (lowest, highest) and are drawn from uniformly, once per eye or per lesion. Anatomical figures are
textbook values; signal figures were set by eye and by histogram against OCTA-500 subject 10225.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from octa_kedro.config import Config
from octa_kedro.io.release import DEPTH_MM

FieldOfView = Literal["3mm", "6mm"]
Disease = Literal["NORMAL", "DR", "CNV"]

FIELD_MM: dict[FieldOfView, float] = {"3mm": 3.0, "6mm": 6.0}
FIRST_ID: dict[FieldOfView, int] = {"6mm": 10001, "3mm": 10301}
MIN_LATERAL, MIN_DEPTH = 24, 96
"""Fewer A-scans than this cannot show a lesion; at fewer depth voxels the thinnest layers vanish."""


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"lowest value {value[0]} is above the highest {value[1]}")
    return value


def _positive(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] <= 0:
        raise ValueError(f"must be above 0, got {value[0]}")
    return _ordered(value)


def _not_negative(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] < 0:
        raise ValueError(f"must not be negative, got {value[0]}")
    return _ordered(value)


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
PositiveSpan = Annotated[tuple[float, float], AfterValidator(_positive)]
AmountSpan = Annotated[tuple[float, float], AfterValidator(_not_negative)]
CountSpan = Annotated[tuple[int, int], AfterValidator(_positive)]


class AnatomyConfig(Config):
    """Shape of the retina. The layers' thicknesses hold about 1 mm from the fovea, before scaling."""

    inner_um: Annotated[float, Field(gt=0)] = 105.0
    """ILM to IPL/INL: nerve fibres, ganglion cells, inner plexiform layer."""
    inl_opl_um: Annotated[float, Field(gt=0)] = 64.0
    """IPL/INL to OPL/ONL."""
    onl_um: Annotated[float, Field(gt=0)] = 72.0
    """OPL/ONL to IS/OS."""
    segments_um: Annotated[float, Field(gt=0)] = 32.0
    """IS/OS to RPE."""
    rpe_um: Annotated[float, Field(gt=0)] = 16.0
    """RPE to Bruch's membrane."""
    thickness_um: PositiveSpan = (255.0, 315.0)
    """Whole retina, ILM to BM, between eyes; the layers above are scaled to it."""
    pit_width_mm: PositiveSpan = (1.3, 1.7)
    pit_depth_um: PositiveSpan = (85.0, 115.0)
    ilm_depth_mm: PositiveSpan = (0.55, 0.95)
    """Depth of the ILM at the scan's centre."""
    tilt_um_per_mm: Span = (-25.0, 25.0)
    curvature_um_per_mm2: Span = (6.0, 16.0)
    """The edges of the scan lie this much x (distance from the centre)^2 higher than the centre."""
    fovea_offset_mm: Span = (-0.15, 0.15)
    faz_area_mm2: PositiveSpan = (0.2, 0.4)
    faz_irregularity: Annotated[float, Field(ge=0, lt=0.5)] = 0.09


class VesselConfig(Config):
    """The two plexuses and the choriocapillaris; flow is relative to that in a large vessel (1)."""

    arcade_height_mm: PositiveSpan = (1.9, 2.8)
    arcade_radius_um: PositiveSpan = (42.0, 62.0)
    branch_spacing_mm: PositiveSpan = (0.42, 0.65)
    density: PositiveSpan = (0.45, 0.8)
    """Brightness of the capillary mesh of the superficial plexus, between eyes; likewise the deep one."""
    deep_density: PositiveSpan = (0.4, 0.85)
    superficial_mesh_um: Annotated[float, Field(gt=0)] = 24.0
    """Correlation length of the capillary mesh; the deep one is finer."""
    deep_mesh_um: Annotated[float, Field(gt=0)] = 18.0
    patchiness: AmountSpan = (0.05, 0.2)
    """Relative deviation of capillary brightness over about half a millimetre, in healthy eyes as well."""
    choriocapillaris: PositiveSpan = (0.22, 0.55)
    choroid_decay_um: PositiveSpan = (45.0, 110.0)


class LesionConfig(Config):
    """How far a disease has gone. Numbers are for the central 3 x 3 mm, where every scan can show them."""

    dropout_patches: CountSpan = (6, 10)
    dropout_diameter_mm: PositiveSpan = (0.4, 0.8)
    dropout_residual_flow: AmountSpan = (0.03, 0.15)
    dropout_at_faz: CountSpan = (1, 3)
    """Further patches that border on the FAZ and so enlarge it irregularly."""
    microaneurysms: CountSpan = (14, 28)
    microaneurysm_diameter_um: PositiveSpan = (60.0, 120.0)
    microaneurysm_flow: PositiveSpan = (2.0, 2.8)
    cnv_diameter_mm: PositiveSpan = (0.9, 1.6)
    cnv_height_um: PositiveSpan = (75.0, 105.0)
    """Upper edge of the tangle, above BM."""
    cnv_offset_mm: AmountSpan = (0.0, 0.6)
    """Distance of the tangle's centre from the fovea."""
    cnv_flow: PositiveSpan = (1.8, 2.4)
    rpe_elevation_um: AmountSpan = (8.0, 28.0)


class SignalConfig(Config):
    """From anatomy to grey values, all of it independent of the disease."""

    gain: PositiveSpan = (26.0, 54.0)
    """OCTA grey value of flow 1."""
    depth_gain_sd: Annotated[float, Field(ge=0)] = 0.3
    """Deviation of the log of a smooth random gain along the depth of the retina, between eyes."""
    shading: AmountSpan = (0.05, 0.25)
    """Uneven signal over millimetres: deviation of its log."""
    tail: AmountSpan = (0.1, 0.4)
    """Projection artefact right under a superficial vessel, relative to it."""
    tail_decay_um: PositiveSpan = (80.0, 220.0)
    outer_artefact: AmountSpan = (0.02, 0.2)
    """Diffuse projection artefact in the outer retina: its peak, as flow."""
    noise_flow: AmountSpan = (0.02, 0.1)
    """Flow read where nothing moves, at the brightest layer."""
    noise_floor: AmountSpan = (0.5, 2.5)
    """Grey values below this are shown as 0, as the device does."""
    octa_speckle_looks: PositiveSpan = (6.0, 14.0)
    """Shape of the gamma distributed speckle; fewer looks, more grain."""
    octa_ceiling: Annotated[float, Field(gt=0, le=255)] = 92.0
    motion_lines: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 4)
    oct_noise_sd: PositiveSpan = (11.0, 16.0)
    oct_contrast: PositiveSpan = (0.85, 1.1)
    shadow: AmountSpan = (10.0, 25.0)
    """OCT grey values lost under a large vessel."""


class PhantomConfig(Config):
    """A whole synthetic cohort; equal configs give equal bytes."""

    seed: Annotated[int, Field(ge=0)] = 1
    subjects: dict[Disease, Annotated[int, Field(ge=1)]] = Field({"NORMAL": 16, "DR": 16, "CNV": 16})
    """Eyes per disease word."""
    shapes: dict[FieldOfView, tuple[int, int, int]] = Field({"3mm": (76, 76, 256), "6mm": (100, 100, 256)})
    """Voxels (x, y, z) of a scan; the defaults are a quarter of the release's 304 and 400 laterally."""
    share_6mm: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the eyes of each disease that are scanned 6 x 6 mm wide; the others 3 x 3 mm."""
    ages: PositiveSpan = (25.0, 80.0)
    anatomy: AnatomyConfig = AnatomyConfig()
    vessels: VesselConfig = VesselConfig()
    lesions: LesionConfig = LesionConfig()
    signal: SignalConfig = SignalConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.subjects:
            raise ValueError("subjects: at least one disease is needed")
        self._check_shapes()
        smallest_field = min(FIELD_MM.values())
        diameter = 2 * math.sqrt(self.anatomy.faz_area_mm2[1] / math.pi)
        if diameter > smallest_field / 2:
            raise ValueError(
                f"anatomy.faz_area_mm2: {self.anatomy.faz_area_mm2[1]} mm2 ({diameter:.2f} mm wide)"
                f" is too large for a field of {smallest_field} mm"
            )
        deepest = self.anatomy.ilm_depth_mm[1] + self.anatomy.thickness_um[1] / 1000
        if deepest > DEPTH_MM - 0.3 or self.anatomy.ilm_depth_mm[0] < 0.3:
            raise ValueError(f"anatomy.ilm_depth_mm: the retina must leave 0.3 mm above and below it in {DEPTH_MM} mm")
        reach = self.lesions.cnv_offset_mm[1] + max(map(abs, self.anatomy.fovea_offset_mm))
        if reach > smallest_field / 2:
            raise ValueError(
                f"lesions.cnv_offset_mm: {reach} mm from its centre lies outside a {smallest_field} mm field"
            )
        available = self.anatomy.onl_um + self.anatomy.segments_um + self.anatomy.rpe_um
        if self.lesions.cnv_height_um[1] > available:
            raise ValueError(
                f"lesions.cnv_height_um: {self.lesions.cnv_height_um[1]} exceeds the outer retina's {available}"
            )
        if self.lesions.rpe_elevation_um[1] > 0.6 * self.anatomy.onl_um:
            raise ValueError("lesions.rpe_elevation_um: leaves no outer nuclear layer above a raised epithelium")
        return self

    def _check_shapes(self) -> None:
        if not self.shapes:
            raise ValueError("shapes: at least one field of view is needed")
        for field_of_view, (x, y, z) in self.shapes.items():
            if min(x, y) < MIN_LATERAL or z < MIN_DEPTH:
                raise ValueError(
                    f"shapes[{field_of_view}]: {(x, y, z)} is too small, at least"
                    f" {(MIN_LATERAL, MIN_LATERAL, MIN_DEPTH)} is needed"
                )
        for name, used in (("6mm", self.share_6mm > 0), ("3mm", self.share_6mm < 1)):
            if used and name not in self.shapes:
                raise ValueError(f"shapes: {name} is missing, but share_6mm is {self.share_6mm}")
        if self.share_6mm * sum(self.subjects.values()) > FIRST_ID["3mm"] - FIRST_ID["6mm"]:
            raise ValueError("subjects: more 6 mm eyes than there are IDs from 10001 to 10300")
