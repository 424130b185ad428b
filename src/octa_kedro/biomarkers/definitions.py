"""The biomarkers: name, unit, what is measured, and who defined it so. The columns of the table are made from here."""

from dataclasses import dataclass

SECTORS = ("temporal", "superior", "nasal", "inferior")
RINGS = ("inner", "outer")
REGIONS = ("whole", "centre", *(f"{ring}{s}" for ring in RINGS for s in ("", *(f"_{name}" for name in SECTORS))))
"""The whole scan, the ETDRS centre (diameter 1 mm), its inner (to 3 mm) and outer ring (to 6 mm), and their sectors."""
PLEXUSES = ("SVP", "DVP")
INNER = "ILM_OPL"
"""The inner retina, in which the foveal avascular zone is looked for."""
LAYERS = {
    "retina": ("ILM", "BM"),
    "ILM_RPE": ("ILM", "RPE"),
    "ganglion_complex": ("ILM", "IPL_INL"),
    "INL_OPL": ("IPL_INL", "OPL_ONL"),
    "outer_retina": ("OPL_ONL", "BM"),
    "RPE_BM": ("RPE", "BM"),
}
"""The surfaces above and below each layer whose thickness is measured."""

CHU = "Chu et al. 2016, doi 10.1117/1.JBO.21.6.066008"
SHIIHARA = "Shiihara et al. 2018, doi 10.1038/s41598-018-28530-7"
JIA = "flow index of Jia et al. 2015, doi 10.1073/pnas.1500185112, relative to the scan's own mean"
ZHANG = "avascular area of Zhang et al. 2016, doi 10.1167/iovs.16-19776"
HART = "Hart et al. 1999, doi 10.1016/S1386-5056(98)00163-4"
ETDRS = "ETDRS report 1, 1985, doi 10.1001/archopht.1985.01050120030015"


@dataclass(frozen=True)
class Definition:
    """One kind of measure; it has a column for each of its `parts` (slabs or layers) and `regions`, if it has any."""

    name: str
    unit: str
    parts: tuple[str, ...]
    regions: tuple[str, ...]
    meaning: str
    source: str

    @property
    def columns(self) -> list[str]:
        """Its columns: ``<name>_<part>_<region>``."""
        return [column(self.name, part, region) for part in self.parts or ("",) for region in self.regions or ("",)]


DEFINITIONS = (
    Definition("vessel_density", "1", PLEXUSES, REGIONS, "share of the area that vessels cover, FAZ included", CHU),
    Definition("skeleton_density", "1/mm", PLEXUSES, REGIONS, "length of the vessels' centre lines per area", CHU),
    Definition("relative_flow", "1", PLEXUSES, REGIONS[1:], "mean grey level, divided by that of the whole map", JIA),
    Definition(
        "nonperfused_area", "mm2", (*PLEXUSES, INNER), (),
        "area outside the FAZ, in patches of at least 0.02 mm2, with less than 60 % of the flow round about", ZHANG,
    ),
    Definition("faz_area", "mm2", (), (), "area of the foveal avascular zone of the inner retina", SHIIHARA),
    Definition("faz_perimeter", "mm", (), (), "length of its outline", SHIIHARA),
    Definition("faz_circularity", "1", (), (), "4 pi area / perimeter^2; 1 for a circle", SHIIHARA),
    Definition("faz_axis_ratio", "1", (), (), "longer axis of the ellipse with its moments, by the shorter", SHIIHARA),
    Definition(
        "vessel_calibre", "um", PLEXUSES, (), "mean width along the centre lines, capillaries included", CHU
    ),
    Definition(
        "vessel_tortuosity", "1", PLEXUSES, (),
        "length along a vessel between two branchings by their distance, mean over length; 1 is straight", HART,
    ),
    Definition("thickness", "um", tuple(LAYERS), REGIONS, "mean distance of two surfaces along the A-scan", ETDRS),
)  # fmt: skip


def column(name: str, part: str = "", region: str = "") -> str:
    """The column of a measure of a slab or layer in a region; either may be empty."""
    return "_".join(word for word in (name, part, region) if word)


COLUMNS = tuple(name for definition in DEFINITIONS for name in definition.columns)
UNITS = {name: definition.unit for definition in DEFINITIONS for name in definition.columns}
"""The unit of each column."""
