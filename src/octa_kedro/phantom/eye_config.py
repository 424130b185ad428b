"""Settings of one eye and of the device that scans it; the end of a field's name is its unit.

Anatomical values are from textbooks; signal values were chosen by comparison with real scans
(`benchmarks/phantom_realism.py`).
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from octa_kedro.config import Config
from octa_kedro.phantom.ranges import AmountSpan, CountSpan, PositiveSpan, Span

DISC_MM = 4.6
"""Distance of the optic disc from the fovea."""
MIN_SPACING_UM = 15.0


class AnatomyConfig(Config):
    """Shape of the retina. Thicknesses of layers are those about 1 mm from the fovea, before scaling."""

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
    thickness_um: PositiveSpan = (285.0, 345.0)
    """Whole retina, ILM to BM, range over eyes; the layers above are scaled to it."""
    pit_width_mm: PositiveSpan = (1.3, 1.7)
    pit_depth_um: PositiveSpan = (85.0, 115.0)
    ilm_depth_mm: PositiveSpan = (0.55, 0.95)
    """Depth of the ILM at the scan's centre."""
    tilt_um_per_mm: Span = (-25.0, 25.0)
    curvature_um_per_mm2: Span = (6.0, 16.0)
    """The retina lies higher than at the scan's centre by this much times (distance from the centre)^2."""
    fovea_offset_mm: Span = (-0.15, 0.15)
    faz_area_mm2: PositiveSpan = (0.06, 0.31)
    faz_irregularity: Annotated[float, Field(ge=0, lt=0.5)] = 0.09
    sparse_places: CountSpan = (3, 7)
    """Watershed zones in the central 3 x 3 mm, where every eye has fewer capillaries."""
    sparse_diameter_mm: PositiveSpan = (0.35, 0.7)


class VesselConfig(Config):
    """Trees, capillary nets and choriocapillaris; flow is relative to that in a large vessel (1)."""

    arcade_height_mm: PositiveSpan = (1.4, 2.4)
    """Distance from the fovea of the nearer vessel of an arcade, above and below it."""
    arcade_gap_mm: PositiveSpan = (0.4, 1.4)
    """How much farther from the fovea the other vessel of the arcade runs."""
    murray_exponent: PositiveSpan = (3.3, 3.7)
    """Murray's law has 3; in OCTA large vessels look narrower and small ones wider than it says."""
    terminal_radius_um: Annotated[float, Field(gt=0)] = 3.0
    vein_ratio: Annotated[float, Field(gt=0)] = 1.15
    """Width of a venule relative to an arteriole of the same territory."""
    wander: Annotated[float, Field(ge=0)] = 0.12
    """Standard deviation of the direction of growth at each step of 30 um."""
    spacing_um: PositiveSpan = (31, 39)
    """Mesh width of the superficial capillary net, range over eyes."""
    deep_spacing_um: PositiveSpan = (32, 40)
    flow: PositiveSpan = (0.7, 1.0)
    """Flow in a superficial capillary, range over eyes; `deep_flow` is the same for a deep one."""
    deep_flow: PositiveSpan = (0.45, 0.75)
    diffuse: AmountSpan = (0.15, 0.35)
    """Share of capillary flow that is seen between the resolved capillaries."""
    patchiness: AmountSpan = (0.02, 0.06)
    """Relative standard deviation of capillary flow over about half a millimetre, also in healthy eyes."""
    sparse_loss: AmountSpan = (0.4, 0.75)
    """Share of capillary flow that is missing in the middle of a watershed zone."""
    foveal_dimming: AmountSpan = (0.35, 0.75)
    """Share of capillary flow that is missing at the border of the FAZ, where the ganglion cells thin out."""
    foveal_dimming_mm: PositiveSpan = (0.2, 0.4)
    """Distance from the FAZ over which the flow becomes normal."""
    peripheral_dimming: AmountSpan = (0.5, 0.7)
    """Share of capillary flow that is missing 3 mm from the fovea, where the ganglion cells are a single row."""
    variation: AmountSpan = (0.05, 0.28)
    """Relative standard deviation of flow between capillaries."""
    connecting: PositiveSpan = (10.0, 20.0)
    """Vessels between the plexuses, per mm2."""
    choriocapillaris: PositiveSpan = (0.5, 0.8)
    choroid_um: PositiveSpan = (70.0, 130.0)
    """Depth below BM to which choroidal flow is seen."""

    @model_validator(mode="after")
    def _growable(self) -> Self:
        farthest = self.arcade_height_mm[1] + self.arcade_gap_mm[1]
        if farthest > 0.9 * DISC_MM:
            raise ValueError(
                f"arcade_height_mm and arcade_gap_mm: an arcade {farthest:g} mm from the fovea cannot come from the"
                f" disc, which lies {DISC_MM} mm from it"
            )
        for name in ("spacing_um", "deep_spacing_um"):
            if getattr(self, name)[0] < MIN_SPACING_UM:
                raise ValueError(
                    f"{name}: {getattr(self, name)[0]} um is finer than any capillary net; give at least"
                    f" {MIN_SPACING_UM:g}"
                )
        return self


class SignalConfig(Config):
    """How anatomy becomes grey values; nothing here depends on the disease."""

    gain: PositiveSpan = (22.0, 38.0)
    """OCTA grey value of flow 1."""
    depth_gain_sd: Annotated[float, Field(ge=0)] = 0.25
    """Standard deviation of the log of a smooth random gain along the depth of the retina; each eye has its own."""
    shading: AmountSpan = (0.01, 0.06)
    """Unevenness of the signal over millimetres: standard deviation of its log."""
    opacities: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 1)
    """Floaters and other opacities in front of the central 3 x 3 mm; a wider scan may show more of them."""
    opacity_mm: PositiveSpan = (0.3, 0.9)
    opacity: AmountSpan = (0.15, 0.4)
    """Share of the signal that is lost behind the middle of an opacity."""
    tail: AmountSpan = (0.15, 0.6)
    """Projection artefact directly under a superficial vessel, relative to the vessel's flow."""
    tail_decay_um: PositiveSpan = (80.0, 220.0)
    outer_artefact: AmountSpan = (0.25, 0.75)
    """Projection artefact of the whole inner retina on the bright layers below it, as flow."""
    outer_patchiness: AmountSpan = (0.15, 0.4)
    """Standard deviation of the log of that artefact over about half a millimetre."""
    noise_flow: AmountSpan = (0.07, 0.13)
    """Flow that is measured where nothing moves, in the brightest layer."""
    noise_floor: AmountSpan = (0.2, 0.6)
    """Grey values below this are shown as 0, as the device does."""
    speckle: PositiveSpan = (0.4, 0.58)
    """Standard deviation of the log of OCTA speckle."""
    column: PositiveSpan = (0.02, 0.1)
    """Standard deviation of the log of a gain that differs between A-scans but not with depth."""
    octa_ceiling: Annotated[float, Field(gt=0, le=255)] = 110.0
    motion_lines: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 4)
    saccades: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 1)
    """Sudden sideways movements in one scan."""
    saccade_mm: AmountSpan = (0.02, 0.08)
    axial_um: AmountSpan = (0.5, 3.0)
    """Standard deviation of the depth of a B-scan relative to its neighbours."""
    oct_noise_sd: PositiveSpan = (6.5, 8.5)
    oct_contrast: PositiveSpan = (0.95, 1.22)
    roll_off_per_mm: AmountSpan = (0.0, 0.3)
    """Share of the OCT signal lost per millimetre of depth, to first order."""
    shadow: AmountSpan = (10.0, 25.0)
    """OCT grey values lost under a large vessel."""
