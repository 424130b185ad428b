"""How right the biomarkers are: on phantom eyes, which know their truth, and whether they are plausible on real maps.

    python benchmarks/biomarkers.py [--eyes 16] [--seed 6] [--native 4] [--shared ../shared/data]

Phantom: FAZ area against the outline it was drawn with (healthy eyes), non-perfused area against the closed capillaries
of DR eyes and against healthy ones, thickness against the true surfaces, place of the fovea. `--native` eyes of each
kind and field have the sampling of OCTA-500 (minutes each), the others a quarter of it. Real: the 60 maps of the inner
retina, in the folder that `--shared` or OCTA_SHARED_DATA names; nothing of them is kept.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_auc_score

from octa_kedro.biomarkers.definitions import LAYERS, REGIONS
from octa_kedro.biomarkers.eye import measure_eye
from octa_kedro.biomarkers.faz import find_faz
from octa_kedro.biomarkers.perfusion import nonperfused
from octa_kedro.biomarkers.regions import etdrs_regions
from octa_kedro.biomarkers.sampling import like
from octa_kedro.biomarkers.vessels import calibre_um, centre_lines, find_vessels, line_length, tortuosity
from octa_kedro.io.octa500 import SURFACES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.anatomy import draw_anatomy
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.fields import Grid, stream
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.mirroring import mirror

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("OCTA_SHARED_DATA", ROOT.parent / "shared" / "data"))
NATIVE = {"3mm": (304, 304, 320), "6mm": (400, 400, 320)}  # lateral sampling of OCTA-500, half its depth's
SLABS = ("SVP", "DVP", "ILM_OPL")
FEWEST = 6  # eyes for which a correlation is shown
PUBLISHED = {
    "FAZ area, mm2": "0.257 +- 0.104 (doi 10.1167/tvst.6.3.16)",
    "FAZ circularity": "0.69 (doi 10.1136/bjophthalmol-2017-311149)",
    "vessel density": "0.39 (the same, 3 mm)",
    "skeleton density, 1/mm": "19.6 (the same, 3 mm)",
}


def judge_eye(config: PhantomConfig, row: Mapping[str, Any]) -> dict[str, Any]:
    """One phantom eye measured, beside what is true of it."""
    eye = make_eye(config, row)
    affine = scan_affine(eye.octa.shape, eye.extent_mm)
    depths = np.moveaxis(eye.surfaces, 0, 2) * affine[2, 2] + affine[2, 3]
    surfaces = mirror(PlaneStack(depths, affine, SURFACES, eye.laterality))
    found = measure_eye(mirror(Volume(eye.octa, affine, "OCTA", eye.laterality)), surfaces)
    grid, area = true_faz(config, row, eye.octa.shape)
    closed = (eye.lesion == Finding.CAPILLARY_DROPOUT).any(axis=2).mean() * row["fov_mm"] ** 2
    fovea = (found.facts["fovea_x_mm"], found.facts["fovea_y_mm"])
    return {
        "disease": row["drawn"],
        "field": row["fov_mm"],
        "true FAZ": area,
        "closed": closed,
        "fovea off, um": 1000 * float(np.hypot(fovea[0] - grid.fovea_mm[0], fovea[1] - grid.fovea_mm[1])),
        "thickness off, um": thickness_error(found.values, surfaces, grid),
        **found.values,
    }


def true_faz(config: PhantomConfig, row: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[Grid, float]:
    """The grid that a healthy eye was drawn on, without movements, and the area of its FAZ in mm2."""
    number, field = int(row["ID"]), float(row["fov_mm"])
    offset = stream(config.seed, number, "position").uniform(*config.anatomy.fovea_offset_mm, 2)
    grid = Grid((shape[0], shape[1], shape[2]), (field, field, 2.0), (float(offset[0]), float(offset[1])))
    radius = draw_anatomy(stream(config.seed, number, "anatomy"), grid, config.anatomy).faz_radius_mm
    x, y = grid.fine
    return grid, float((np.hypot(x, y) < radius).mean()) * field**2


def thickness_error(values: Mapping[str, float], surfaces: PlaneStack, grid: Grid) -> float:
    """The largest difference in um from the mean over each region round the true fovea."""
    spacing = tuple(float(step) for step in np.diag(surfaces.grid_affine)[:2])
    regions = etdrs_regions(surfaces.array.shape[:2], (spacing[0], spacing[1]), grid.fovea_mm, "OD")
    errors = [0.0]
    for layer, (upper, lower) in LAYERS.items():
        thickness = 1000 * (surfaces.plane(lower) - surfaces.plane(upper))
        for region in set(REGIONS) & set(regions.masks):
            errors.append(abs(values[f"thickness_{layer}_{region}"] - float(thickness[regions.masks[region]].mean())))
    return float(np.nanmax(errors))


def phantom_figures(config: PhantomConfig) -> str:
    """What was found in a cohort of healthy and DR eyes, as text."""
    eyes = pd.DataFrame([judge_eye(config, row) for row in plan_cohort(config).to_dict("records")])
    lines = []
    for field, rows in eyes.groupby("field"):
        well, ill = rows[rows["disease"] == "NORMAL"], rows[rows["disease"] == "DR"]
        off, thickness = well["faz_area"] - well["true FAZ"], rows["thickness off, um"]
        lines += [
            f"{field:g} mm, {len(well)} healthy and {len(ill)} DR eyes",
            f"  FAZ area off by {off.mean():+.3f} mm2 on average, {off.abs().mean():.3f} absolutely, r = "
            f"{well['faz_area'].corr(well['true FAZ'], min_periods=FEWEST):.2f}, not found in {int(off.isna().sum())}",
            f"  fovea off by {rows['fovea off, um'].median():.0f} um (median)",
            f"  thickness off by at most {thickness.median():.2f} um (median over eyes; worst {thickness.max():.2f})",
            *(non_perfused_words(f"nonperfused_area_{slab}", well, ill) for slab in SLABS),
        ]
        for name in ("vessel_density", "skeleton_density", "vessel_calibre", "vessel_tortuosity"):
            ends = {"whole", *SLABS}
            every = [column for column in rows if column.startswith(name) and column.split("_")[-1] in ends]
            lines += [f"  {column}: {rows[column].median():.3g}" for column in every if rows[column].notna().any()]
    return "\n".join(lines)


def non_perfused_words(name: str, well: pd.DataFrame, ill: pd.DataFrame) -> str:
    """Non-perfused area of healthy and DR eyes, beside the area of closed capillaries."""
    well, ill = well[well[name].notna()], ill[ill[name].notna()]
    truth = [False] * len(well) + [True] * len(ill)
    auroc = roc_auc_score(truth, [*well[name], *ill[name]])
    together = ill[name].corr(ill["closed"], min_periods=FEWEST)
    return (
        f"  {name}: {well[name].median():.2f} mm2 healthy, {ill[name].median():.2f} DR (closed there: "
        f"{ill['closed'].median():.2f}), AUROC {auroc:.2f}, r with it {together:.2f}"
    )


def real_figures(shared: Path) -> str:
    """5th percentile, median and 95th of each measure over the real maps, as a table."""
    lines = ["| field | measure | 5 % | median | 95 % | published |", "|" + "---|" * 6]
    for field in (3.0, 6.0):
        paths = sorted((shared / "octa500_enface_sample" / f"OCTA_{field:g}mm").glob("*.png"))
        table = pd.DataFrame([map_figures(path, field) for path in paths])
        for name in table:
            low, middle, high = np.nanpercentile(table[name], [5, 50, 95])
            known, published = f"{table[name].notna().sum()} of {len(table)} maps", PUBLISHED.get(name, "")
            lines.append(f"| {field:g} mm, {known} | {name} | {low:.3g} | {middle:.3g} | {high:.3g} | {published} |")
    return "\n".join(lines)


def map_figures(path: Path, field_mm: float) -> dict[str, float]:
    """What a map of the inner retina allows to be measured."""
    grey = np.asarray(Image.open(path).convert("L"))[::-1].T.astype(np.float32)
    pixel = 1000 * field_mm / len(grey)
    faz = find_faz(grey, (pixel, pixel))
    zone = None if faz is None else like(faz.mask, (grey.shape[0], grey.shape[1]))
    vessels = find_vessels(grey, pixel, zone)
    lines = centre_lines(vessels)
    return {
        "FAZ area, mm2": faz.area_mm2 if faz else np.nan,
        "FAZ perimeter, mm": faz.perimeter_mm if faz else np.nan,
        "FAZ circularity": faz.circularity if faz else np.nan,
        "FAZ axis ratio": faz.axis_ratio if faz else np.nan,
        "vessel density": float(vessels.mean()),
        "skeleton density, 1/mm": float(line_length(lines).mean()) * 1000 / pixel,
        "calibre, um": calibre_um(vessels, lines, pixel),
        "tortuosity": tortuosity(lines, pixel),
        "non-perfused area, mm2": float(nonperfused(grey, pixel, zone).mean()) * field_mm**2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyes", type=int, default=16, help="healthy and as many DR eyes")
    parser.add_argument("--native", type=int, default=0, help="the same with the sampling of OCTA-500")
    parser.add_argument("--seed", type=int, default=6, help="of the phantom; 5 and 7 were used to choose thresholds")
    parser.add_argument("--shared", type=Path, default=SHARED)
    given = parser.parse_args()
    for count, shapes in ((given.eyes, {}), (given.native, {"shapes": NATIVE})):
        if count:
            subjects = {"NORMAL": count, "DR": count}
            config = PhantomConfig.model_validate({"seed": given.seed, "subjects": subjects, **shapes})
            print(f"phantom, {'native' if shapes else 'default'} sampling\n{phantom_figures(config)}", flush=True)
    if (given.shared / "octa500_enface_sample").is_dir():
        print(real_figures(given.shared))
    else:
        print(f"no real maps in {given.shared}: give --shared or set OCTA_SHARED_DATA")


if __name__ == "__main__":
    main()
