"""How many lesions each disease has, and how large they are.

All ranges are for severity 1. At a lower severity s, a disease with many lesions has s times as many, each 0.5 + 0.5 s
times as wide and high; a single lesion is sqrt(s) times as wide. The height of a tangle, film or mound is multiplied by
sqrt(s), that of fluid or swelling by s, and the loss of capillary flow by 1 - (1 - s)^3. At s = 0 there is no disease.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from octa_kedro.config import Config
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.ranges import AmountSpan, CountSpan, PositiveSpan

FIELD_RADIUS_MM = 1.5
"""Half the smaller of the two fields of view: not every scan shows what lies farther out."""
VITREOUS_KEPT_UM = 100.0
"""Space that must stay free above the retina at the centre of the scan."""
ONL_KEPT = 0.2
"""Share of the outer nuclear layer that must remain above a raised pigment epithelium."""
MOUND_SHARES = (0.1, 0.15, 0.4, 0.9, 1.0, 0.0)
"""By which share of the height of a mound under the pigment epithelium each of the six surfaces rises."""

Share = Annotated[float, Field(ge=0, le=1)]


class CystConfig(Config):
    """Pockets of fluid inside the retina."""

    count: CountSpan
    diameter_um: PositiveSpan
    height_um: PositiveSpan


class DrConfig(Config):
    """Diabetic retinopathy. The counts are for the central 3 x 3 mm; the same number lies farther out."""

    patches: CountSpan = (4, 6)
    """Patches of closed capillaries."""
    patch_diameter_mm: PositiveSpan = (0.3, 0.6)
    residual_flow: AmountSpan = (0.25, 0.4)
    deep_margin_mm: AmountSpan = (0.02, 0.06)
    """The deep plexus is closed this much farther out."""
    patches_at_faz: CountSpan = (1, 2)
    """Further patches that border on the FAZ and so enlarge it irregularly."""
    microaneurysms: CountSpan = (24, 40)
    microaneurysm_diameter_um: PositiveSpan = (100.0, 150.0)
    microaneurysm_flow: PositiveSpan = (2.0, 2.6)
    superficial_share: Share = 0.05
    """Share of the microaneurysms that arise from the superficial plexus."""
    cysts: CystConfig = CystConfig(count=(3, 8), diameter_um=(120.0, 300.0), height_um=(35.0, 60.0))
    """Only above severity 0.5."""


class AmdConfig(Config):
    """Dry age-related macular degeneration."""

    clusters: CountSpan = (2, 5)
    drusen: CountSpan = (30, 60)
    drusen_diameter_um: PositiveSpan = (60.0, 250.0)
    drusen_height_um: PositiveSpan = (20.0, 80.0)
    """Never more than 0.6 of the diameter."""
    spread_mm: PositiveSpan = (0.15, 0.35)
    """Standard deviation of the drusen's distance from the centre of their cluster, along each axis."""
    reach_mm: AmountSpan = (0.1, 0.9)
    """Distance of the clusters from the fovea."""
    deficits: CountSpan = (8, 16)
    """Patches without choriocapillaris, half of them under drusen."""
    deficit_diameter_mm: PositiveSpan = (0.2, 0.55)
    residual_flow: AmountSpan = (0.1, 0.35)


class CnvConfig(Config):
    """Neovascular age-related macular degeneration."""

    diameter_mm: PositiveSpan = (0.9, 1.5)
    height_um: PositiveSpan = (75.0, 105.0)
    """Upper edge of the tangle, above BM."""
    offset_mm: AmountSpan = (0.0, 0.6)
    """Distance of the tangle's centre from the fovea."""
    flow: PositiveSpan = (2.8, 3.8)
    rpe_elevation_um: AmountSpan = (8.0, 28.0)
    fluid_height_um: PositiveSpan = (40.0, 130.0)
    fluid_share: PositiveSpan = (0.7, 1.2)
    """Width of the subretinal fluid relative to the tangle."""
    halo_residual_flow: AmountSpan = (0.2, 0.45)
    """Flow that is left in the choriocapillaris around the tangle."""


class CscConfig(Config):
    """Central serous chorioretinopathy."""

    diameter_mm: PositiveSpan = (1.5, 3.5)
    height_um: PositiveSpan = (60.0, 250.0)
    offset_mm: AmountSpan = (0.0, 0.5)
    detachment_diameter_mm: PositiveSpan = (0.25, 0.7)
    """The small detachment of the pigment epithelium under the fluid."""
    detachment_height_um: PositiveSpan = (30.0, 90.0)
    unevenness: AmountSpan = (0.1, 0.3)
    """Mean increase, and standard deviation, of the choriocapillaris's flow under the fluid."""


class RvoConfig(Config):
    """Occlusion of a branch of the central vein. The counts are for the central 3 x 3 mm."""

    apex_mm: PositiveSpan = (2.0, 2.7)
    """Distance of the sector's tip from the fovea, on the nasal side."""
    half_width_deg: PositiveSpan = (22.0, 34.0)
    dilation: PositiveSpan = (1.3, 1.9)
    tortuosity_mm: AmountSpan = (0.04, 0.1)
    patches: CountSpan = (5, 10)
    patch_diameter_mm: PositiveSpan = (0.3, 0.7)
    residual_flow: AmountSpan = (0.05, 0.2)
    deep_margin_mm: AmountSpan = (0.02, 0.06)
    cysts: CystConfig = CystConfig(count=(8, 18), diameter_um=(100.0, 280.0), height_um=(40.0, 90.0))
    thickening_um: PositiveSpan = (40.0, 120.0)


class MembraneConfig(Config):
    """Epiretinal membrane."""

    diameter_mm: PositiveSpan = (2.2, 4.0)
    offset_mm: AmountSpan = (0.0, 0.5)
    membrane_um: PositiveSpan = (12.0, 24.0)
    thickening_um: PositiveSpan = (20.0, 70.0)
    wrinkle_um: PositiveSpan = (6.0, 16.0)
    pit_filled: AmountSpan = (0.4, 0.9)
    """Share of the foveal pit that the pull of the membrane flattens."""


class OedemaConfig(Config):
    """Cystoid macular oedema."""

    cysts: CystConfig = CystConfig(count=(16, 32), diameter_um=(120.0, 360.0), height_um=(50.0, 130.0))
    reach_mm: AmountSpan = (0.05, 0.9)
    """Distance of the cysts from the fovea."""
    outer_share: Share = 0.3
    """Share of the cysts that lie in the outer nuclear layer; the others lie in the inner one."""
    thickening_um: PositiveSpan = (60.0, 170.0)


class OthersConfig(Config):
    """Other diseases: each eye has one of two."""

    membrane_share: Share = 0.5
    """Share of the eyes with an epiretinal membrane; the others have a cystoid oedema."""
    membrane: MembraneConfig = MembraneConfig()
    oedema: OedemaConfig = OedemaConfig()


class LesionConfig(Config):
    """All diseases at severity 1; lesions that not every scan would show are refused."""

    dr: DrConfig = DrConfig()
    amd: AmdConfig = AmdConfig()
    cnv: CnvConfig = CnvConfig()
    csc: CscConfig = CscConfig()
    rvo: RvoConfig = RvoConfig()
    others: OthersConfig = OthersConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name, farthest in _places(self).items():
            if farthest > FIELD_RADIUS_MM:
                raise ValueError(f"{name}: {farthest} mm from the fovea lies outside a {2 * FIELD_RADIUS_MM} mm field")
        for name, residual in (
            ("dr.residual_flow", self.dr.residual_flow),
            ("rvo.residual_flow", self.rvo.residual_flow),
            ("amd.residual_flow", self.amd.residual_flow),
            ("cnv.halo_residual_flow", self.cnv.halo_residual_flow),
        ):
            if residual[1] >= 0.5:
                raise ValueError(f"{name}: {residual[1]} is not a loss of flow; it must be below 0.5")
        return self


def require_fit(lesions: LesionConfig, anatomy: AnatomyConfig) -> None:
    """Check that lesions fit into the thinnest and the highest retina of `anatomy`; ValueError names the setting."""
    layers = (anatomy.inner_um, anatomy.inl_opl_um, anatomy.onl_um, anatomy.segments_um, anatomy.rpe_um)
    thinnest = anatomy.thickness_um[0] / sum(layers)
    outer = thinnest * sum(layers[2:])
    if lesions.cnv.height_um[1] > outer:
        raise ValueError(
            f"lesions.cnv.height_um: {lesions.cnv.height_um[1]} um exceeds the outer retina, {outer:.0f} um"
        )
    squeeze, room = MOUND_SHARES[3] - MOUND_SHARES[2], (1 - ONL_KEPT) * thinnest * anatomy.onl_um
    for name, mound in (
        ("cnv.rpe_elevation_um", lesions.cnv.rpe_elevation_um),
        ("amd.drusen_height_um", lesions.amd.drusen_height_um),
    ):
        if squeeze * mound[1] > room:
            raise ValueError(f"lesions.{name}: {mound[1]} leaves no outer nuclear layer above the raised epithelium")
    offset = max(map(abs, anatomy.fovea_offset_mm))
    for name, farthest in _places(lesions).items():
        if farthest + offset > FIELD_RADIUS_MM:
            raise ValueError(
                f"lesions.{name}: {farthest} mm from a fovea that itself lies up to {offset} mm from the centre is"
                f" outside a {2 * FIELD_RADIUS_MM} mm field"
            )
    above = 1000 * anatomy.ilm_depth_mm[0] - VITREOUS_KEPT_UM
    for name, lift in _lifts(lesions).items():
        if lift > above:
            raise ValueError(f"lesions.{name}: a lift of {lift:.0f} um pushes the retina out of the scan")


def _places(lesions: LesionConfig) -> dict[str, float]:
    """Distances in millimetres from the fovea at which the lesions of a disease may have their centre."""
    return {
        "amd.reach_mm": lesions.amd.reach_mm[1],
        "cnv.offset_mm": lesions.cnv.offset_mm[1],
        "csc.offset_mm": lesions.csc.offset_mm[1],
        "others.membrane.offset_mm": lesions.others.membrane.offset_mm[1],
        "others.oedema.reach_mm": lesions.others.oedema.reach_mm[1],
    }


def _lifts(lesions: LesionConfig) -> dict[str, float]:
    """The most that each setting may raise the ILM, in micrometres."""
    return {
        "cnv.fluid_height_um": lesions.cnv.fluid_height_um[1] + lesions.cnv.rpe_elevation_um[1],
        "csc.height_um": lesions.csc.height_um[1] + lesions.csc.detachment_height_um[1],
        "rvo.thickening_um": lesions.rvo.thickening_um[1],
        "others.membrane.thickening_um": lesions.others.membrane.thickening_um[1],
        "others.oedema.thickening_um": lesions.others.oedema.thickening_um[1],
    }
