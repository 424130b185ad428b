"""How much of the vessels' tails each method of `processing.projection_artefacts` removes, and how much of vessels.

    OMP_NUM_THREADS=1 python benchmarks/projection_artefacts.py [--seed 202] [--eyes 4] [--surfaces estimated]

Each phantom eye is rendered three times from the same random numbers: as it is scanned, without projection artefacts
(the truth: what a method should leave), and without noise (which shows where blood flows). Eyes of seed 101 chose the
defaults of `preprocessing.artefact_config`; other seeds judge them. Means over eyes:

* tail removed: 1 - (flow left above the truth) / (flow of the artefacts), in the deep plexus, from OPL to IS/OS and
  from IS/OS to BM;
* kept: the smaller of what is left and the truth, as a share of the truth, in voxels of superficial and deep vessels,
  of the choriocapillaris and of neovascular tissue whose true flow is above FLOW;
* like the truth: correlation of the en-face map with that of the truth;
* like the superficial: correlation of the en-face map with the superficial one of the scan, which tails raise (in
  the truth it is not zero either: the last line).
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.io.octa500 import SURFACES, Disease
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.artefact_config import ArtefactConfig
from octa_kedro.preprocessing.artefacts import remove_artefacts
from octa_kedro.preprocessing.projection import project
from octa_kedro.preprocessing.retina import estimate_surfaces
from octa_kedro.preprocessing.slabs import slab_edges, slab_mask

METHODS: dict[str, dict[str, Any]] = {
    "none": {},
    "projection_resolved": {"method": "projection_resolved"},
    "projection_resolved, zero, ratio .7": {"method": "projection_resolved", "removal": "zero", "ratio": 0.7},
    "projection_resolved, published rule": {
        "method": "projection_resolved", "removal": "zero", "ratio": 1, "vessel_um": 0, "smoothing_um": 1,
    },
    "slab_subtraction": {"method": "slab_subtraction"},
    "slab_subtraction, weight .3": {"method": "slab_subtraction", "weight": 0.3},
}  # fmt: skip
NO_TAILS: dict[str, Any] = {"tail": (0.0, 0.0), "outer_artefact": (0.0, 0.0)}
GAIN, CEILING = 100.0, 255.0
NO_NOISE: dict[str, Any] = {
    **NO_TAILS, **dict.fromkeys(("noise_flow", "noise_floor", "shading", "column"), (0.0, 0.0)),
    "speckle": (1e-6, 1e-6), "depth_gain_sd": 0.0, "gain": (GAIN, GAIN), "octa_ceiling": CEILING,
    "motion_lines": (0, 0), "opacities": (0, 0),
}  # fmt: skip
FLOW = 0.25
"""True flow from which a voxel counts as vessel; 1 in a large one."""
ZONES = ("DVP", "OPL to IS/OS", "IS/OS to BM")
MAPS = ("DVP", "outer_retina")


def render(config: PhantomConfig, row: dict[str, Any], signal: dict[str, Any]) -> Any:
    """The eye with other settings of the signal, from the same random numbers."""
    return make_eye(config.model_copy(update={"signal": config.signal.model_copy(update=signal)}), row)


def true_flow(noiseless: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Flow as it was drawn, from grey values that the detector saturated."""
    return CEILING * np.arctanh(np.minimum(noiseless, 254) / CEILING) / GAIN


def measure_eye(config: PhantomConfig, row: dict[str, Any], surfaces: str) -> list[dict[str, Any]]:
    """One row per method."""
    eye, truth, noiseless = (render(config, row, signal) for signal in ({}, NO_TAILS, NO_NOISE))
    affine = scan_affine(eye.oct.shape, eye.extent_mm)
    octa, oct_scan = (Volume(array, affine, name) for name, array in (("OCTA", eye.octa), ("OCT", eye.oct)))
    true_surfaces = PlaneStack(eye.surfaces.transpose(1, 2, 0) * affine[2, 2] + affine[2, 3], affine, SURFACES)
    given = estimate_surfaces(oct_scan) if surfaces == "estimated" else true_surfaces
    judge = judgement(eye, truth.octa.astype(np.float32), true_flow(noiseless.octa), true_surfaces)
    rows = []
    for name, settings in METHODS.items():
        started = time.process_time()
        array = remove_artefacts(octa, oct_scan, given, ArtefactConfig.model_validate(settings))[0].array
        seconds = time.process_time() - started
        rows.append({"method": name, "disease": row["drawn"], **judge(array.astype(np.float32)), "seconds": seconds})
    return [*rows, {"method": "the truth", "disease": row["drawn"], **judge(truth.octa.astype(np.float32))}]


def judgement(
    eye: Any, truth: NDArray[np.float32], flow: NDArray[np.float64], surfaces: PlaneStack
) -> Callable[[NDArray[np.float32]], dict[str, float]]:
    """What measures an array ``[x, y, z]`` against the truth."""
    shape, affine = eye.octa.shape, surfaces.affine
    slab = {
        name: slab_mask(surfaces, name, shape, affine) for name in ("SVP", "DVP", "outer_retina", "choriocapillaris")
    }
    depth = affine[2, 2] * np.arange(shape[2]) + affine[2, 3]
    inner = depth < surfaces.plane("IS_OS")[..., None]
    zones = (slab["DVP"], slab["outer_retina"] & inner, slab["outer_retina"] & ~inner)
    vessel = flow > FLOW
    vessels = {
        "superficial": slab["SVP"] & vessel,
        "deep": slab["DVP"] & vessel & (eye.lesion != Finding.NEOVASCULAR),
        "choriocapillaris": slab["choriocapillaris"] & vessel,
        "neovascular": (eye.lesion == Finding.NEOVASCULAR) & vessel,
    }
    tails = eye.octa - truth

    def enface(array: NDArray, name: str) -> NDArray:
        top, bottom = ((edge - affine[2, 3]) / affine[2, 2] for edge in slab_edges(surfaces, name))
        return project(array, top, bottom).ravel()

    superficial = enface(eye.octa, "SVP")

    def judge(array: NDArray[np.float32]) -> dict[str, float]:
        excess, kept = np.maximum(array - truth, 0), np.minimum(array, truth)
        found = {
            f"tail removed, {name}": 1 - float(excess[zone].sum() / tails[zone].sum())
            for name, zone in zip(ZONES, zones, strict=True)
        }
        found |= {
            f"kept, {name}": float(kept[where].sum() / truth[where].sum()) if where.any() else float("nan")
            for name, where in vessels.items()
        }
        for name in MAPS:
            plane = enface(array, name)
            found[f"{name} like the truth"] = float(np.corrcoef(plane, enface(truth, name))[0, 1])
            found[f"{name} like the superficial"] = float(np.corrcoef(plane, superficial)[0, 1])
        return found

    return judge


def report(table: pd.DataFrame) -> str:
    """Means over all eyes, and of each disease where a method changes the eye."""
    columns = [name for name in table.columns if name not in ("method", "disease")]
    lines = ["| method | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for method, eyes in table.groupby("method", sort=False):
        lines.append(f"| {method} | " + " | ".join(f"{eyes[name].mean():.2f}" for name in columns) + " |")
    shown = [name for name in columns if name.startswith(("tail", "kept"))]
    lines += ["", "| method, disease (eyes) | " + " | ".join(shown) + " |", "|" + "---|" * (len(shown) + 1)]
    for (method, disease), eyes in table.groupby(["method", "disease"], sort=False):
        if method in ("projection_resolved", "slab_subtraction"):
            values = " | ".join(f"{eyes[name].mean():.2f}" for name in shown)
            lines.append(f"| {method}, {disease} ({len(eyes)}) | {values} |")
    return "\n".join(lines)


def main() -> None:
    """Make the eyes, clean them by each method, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=202)
    parser.add_argument("--eyes", type=int, default=4, help="of each disease")
    parser.add_argument("--surfaces", choices=["true", "estimated"], default="estimated")
    arguments = parser.parse_args()
    subjects: dict[Disease, Any] = dict.fromkeys(get_args(Disease), arguments.eyes)
    config = PhantomConfig(seed=arguments.seed, subjects=subjects)
    rows = [{str(k): v for k, v in row.items()} for row in plan_cohort(config).to_dict("records")]
    table = pd.DataFrame([line for row in rows for line in measure_eye(config, row, arguments.surfaces)])
    print(report(table))
    print(f"\n{len(rows)} eyes of seed {arguments.seed}, {arguments.surfaces} surfaces")


if __name__ == "__main__":
    main()
