"""Does quality control stop poor scans, and only those? Its limits on phantom eyes of every disease and field of view.

    python benchmarks/quality_control.py [--seed 5] [--eyes 12] [--poor-share 0.5] [--surfaces true] [--sheet sheet.png]

Half of the eyes of each disease are poor: weak signal, movements, or a tilted retina. A retina that is drawn
from "tilt" may happen to lie flat, so those flatter than the limit are told apart. No good eye should be left out, and
above all not of one disease more than of another. With `--surfaces estimated` the layers are found in the OCT, as
they are where a release brings none.
"""

import argparse
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.io.release import SURFACES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.config import Disease, PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.contact_sheet import Card, contact_sheet
from octa_kedro.preprocessing.quality import MEASURES, Thumbnail, judge_quality, measure_quality, thumbnail
from octa_kedro.preprocessing.quality_config import QualityConfig
from octa_kedro.preprocessing.retina import estimate_surfaces


def scans_of(eye: PhantomEye, name: str, surfaces: str) -> tuple[Volume, Volume, PlaneStack]:
    """The eye as a reader would give it."""
    affine = scan_affine(eye.oct.shape, eye.extent_mm)
    oct_volume = Volume(eye.oct, affine, "OCT", eye.laterality, name)
    octa = Volume(eye.octa, affine, "OCTA", eye.laterality, name)
    if surfaces == "estimated":
        return oct_volume, octa, estimate_surfaces(oct_volume)
    depth_mm = eye.surfaces.transpose(1, 2, 0) * affine[2, 2] + affine[2, 3]
    return oct_volume, octa, PlaneStack(depth_mm, affine, SURFACES, eye.laterality, name)


def true_tilt(eye: PhantomEye) -> float:
    """Degrees, of the plane and bowl through BM as it was drawn."""
    x, y = (((np.arange(n) + 0.5) / n - 0.5) * size for n, size in zip(eye.oct.shape[:2], eye.extent_mm, strict=False))
    across, along = (plane.ravel() for plane in np.meshgrid(x, y, indexing="ij"))
    design = np.stack([across, along, across**2 + along**2, np.ones_like(across)], axis=1)
    depth = eye.surfaces[-1].ravel() * eye.extent_mm[2] / eye.oct.shape[2]
    slopes: NDArray = np.linalg.lstsq(design, depth, rcond=None)[0][:2]
    return float(np.degrees(np.arctan(np.hypot(*slopes))))


def measure_cohort(config: PhantomConfig, limits: QualityConfig, surfaces: str) -> tuple[pd.DataFrame, list[Thumbnail]]:
    """One row per eye: what it is, its measures, the reasons to leave it out, and seconds that measuring took."""
    rows, pictures = [], []
    for row in plan_cohort(config).to_dict("records"):
        eye = make_eye(config, {str(key): value for key, value in row.items()})
        scans = scans_of(eye, str(row["ID"]), surfaces)
        started = time.process_time()
        measures = measure_quality(*scans)
        facts: dict[str, Any] = {"seconds": time.process_time() - started, "true_tilt_deg": true_tilt(eye)}
        reasons = judge_quality(measures, limits)
        flat = row["quality"] == "tilt" and facts["true_tilt_deg"] <= (limits.max_tilt_deg or 90)
        kind = "tilt, below the limit" if flat else row["quality"]
        rows.append({**row, **measures, **facts, "kind": kind, "reasons": reasons, "out": bool(reasons)})
        pictures.append(thumbnail(*scans))
    return pd.DataFrame(rows), pictures


def report(table: pd.DataFrame) -> str:
    """Confusion by kind of scan, false exclusions by disease and field, and the span of every measure."""
    lines = ["| scan | eyes | left out |", "|---|---|---|"]
    lines += [f"| {kind} | {len(eyes)} | {eyes['out'].sum()} |" for kind, eyes in table.groupby("kind")]
    lines += ["", "| good eyes of | eyes | left out |", "|---|---|---|"]
    good = table[table["quality"] == "good"]
    for column in ("drawn", "fov_mm"):
        lines += [f"| {word} | {len(eyes)} | {eyes['out'].sum()} |" for word, eyes in good.groupby(column)]
    names = list(dict.fromkeys(table["quality"]))
    lines += ["", "| measure, lowest to highest | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    for measure in MEASURES:
        spans = [table.loc[table["quality"] == name, measure] for name in names]
        lines.append(f"| {measure} | " + " | ".join(f"{s.min():.3g} to {s.max():.3g}" for s in spans) + " |")
    wrong = good[good["out"]]
    lines += ["", *(f"good {row.ID} ({row.drawn}, {row.fov_mm:g} mm): {row.reasons}" for row in wrong.itertuples())]
    missed = table[~table["out"] & table["kind"].isin(["low_signal", "motion", "tilt"])]
    lines += [f"missed {row.ID} ({row.drawn}, {row.fov_mm:g} mm): {row.kind}" for row in missed.itertuples()]
    return "\n".join([*lines, f"{table['seconds'].mean():.3f} s an eye to measure, {len(table)} eyes"])


def main() -> None:
    """Make the eyes, measure and judge them, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--eyes", type=int, default=12, help="of each disease")
    parser.add_argument("--poor-share", type=float, default=0.5)
    parser.add_argument("--surfaces", choices=["true", "estimated"], default="true")
    parser.add_argument("--sheet", type=Path, help="write the first page of a contact sheet here")
    arguments = parser.parse_args()
    subjects: dict[Disease, Any] = dict.fromkeys(get_args(Disease), arguments.eyes)
    config = PhantomConfig(seed=arguments.seed, subjects=subjects, poor_share=arguments.poor_share)
    table, pictures = measure_cohort(config, QualityConfig(), arguments.surfaces)
    print(report(table))
    if arguments.sheet:
        cards = [
            Card(str(row["ID"]), row["drawn"], row["OS/OD"], picture, tuple(row["reasons"]))
            for row, picture in zip(table.to_dict("records"), pictures, strict=True)
        ]
        contact_sheet(cards, title=f"Phantom eyes of seed {arguments.seed}")[0].savefig(arguments.sheet)


if __name__ == "__main__":
    main()
