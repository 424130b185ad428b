"""How far estimated surfaces lie from the phantom's: per disease and surface, on the demo grid or at full size.

    python benchmarks/surfaces.py [--native] [--eyes 4] [--poor] [--seed 1]

Prints the median over eyes of each eye's median absolute error, and in brackets the worst eye's, in micrometres;
the limit holds for the worst eye. An eye takes 1.5 s to make on the demo grid and 20 to 40 s at full size.
"""

import argparse
import sys
import time
from collections.abc import Hashable
from typing import Any, get_args

import numpy as np
import pandas as pd

from octa_kedro.io.release import SURFACES
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.phantom.config import Disease, PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.retina import estimate_surfaces

FULL = {"3mm": (304, 304, 640), "6mm": (400, 400, 640)}
LIMIT_UM = 3 * 2000 / 640
"""Three voxels of the release's depth sampling."""
LIMITED = ("ILM", "RPE", "BM")


def make_config(eyes: int, native: bool, poor: bool, seed: int) -> PhantomConfig:
    """A cohort of `eyes` per disease, half of them 6 mm wide."""
    settings: dict[str, Any] = {"seed": seed, "subjects": dict.fromkeys(get_args(Disease), eyes)}
    settings |= {"shapes": FULL} if native else {}
    return PhantomConfig.model_validate(settings | {"poor_share": 1.0 if poor else 0.0})


def measure(eye: PhantomEye, row: dict[Hashable, Any]) -> dict[Hashable, Any]:
    """Median absolute error per surface in micrometres, and the seconds of processor time it took."""
    volume = Volume(eye.oct, scan_affine(eye.oct.shape, eye.extent_mm), "OCT", eye.laterality, str(row["ID"]))
    started = time.process_time()
    found = estimate_surfaces(volume)
    seconds = time.process_time() - started
    truth_mm = (eye.surfaces + 0.5) * volume.spacing[2]
    errors = {name: float(np.median(np.abs(found.plane(name) - truth_mm[k]))) * 1000 for k, name in enumerate(SURFACES)}
    return {"disease": row["Disease"], "field": f"{row['fov_mm']:g} mm", "seconds": seconds} | errors


def table_row(name: str, eyes: pd.DataFrame) -> str:
    """A line of the table."""
    cells = [f"{eyes[s].median():.1f} ({eyes[s].max():.1f})" for s in SURFACES]
    reached = bool((eyes[list(LIMITED)].max() <= LIMIT_UM).all())
    shown = [name, str(len(eyes)), *cells, f"{eyes['seconds'].max():.2f}", "yes" if reached else "**no**"]
    return "| " + " | ".join(shown) + " |"


def main() -> None:
    """Make the eyes one by one, estimate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--native", action="store_true", help="the release's 304 x 304 x 640 and 400 x 400 x 640")
    parser.add_argument("--eyes", type=int, default=4, help="per disease")
    parser.add_argument("--poor", action="store_true", help="poor scans: motion, low signal, tilt")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    config = make_config(arguments.eyes, arguments.native, arguments.poor, arguments.seed)
    found = []
    for row in plan_cohort(config).to_dict("records"):
        found.append(measure(make_eye(config, row), row))
        print(f"\r{len(found)} eyes", end="", file=sys.stderr, flush=True)
    eyes = pd.DataFrame(found)
    print(file=sys.stderr)
    columns = ["eyes of", "n", *SURFACES, "seconds, longest", f"ILM, RPE, BM within {LIMIT_UM:.1f} um"]
    print("| " + " | ".join(columns) + " |\n" + "|" + "---|" * len(columns))
    for key in ("disease", "field"):
        for name, group in eyes.groupby(key):
            print(table_row(str(name), group))
    print(table_row("all", eyes))


if __name__ == "__main__":
    main()
