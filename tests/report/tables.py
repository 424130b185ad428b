"""Scores of few eyes, as the page takes them."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from octa_kedro.explain.summary import Bootstrap, summarise_hits, summarise_sizes
from octa_kedro.report.explanation import Places, Scores

LAYER = {"model": "training_3d", "method": "integrated_gradients",
         "parameters": ["steps", "baseline_blur_mm", "smooth_depth_mm", "smooth_lateral_mm"],
         "title": "integrated gradients", "layer": "input",
         "cell_mm": [0.008, 0.05, 0.05], "classes": ["NORMAL", "DISEASED"], "target_class": 1, "note": ""}  # fmt: skip
SLABS = pd.DataFrame(
    {"disease": "DR", "slab": ["ILM-IPL", "OPL-BM"], "eyes": 6, "share": [0.2, 0.7], "share_low": [0.1, 0.6],
     "share_high": [0.3, 0.8], "voxels": [0.3, 0.25]}
)  # fmt: skip
FINDINGS = pd.DataFrame(
    {"model": "training_3d", "method": "map", "disease": "DR", "finding": ["fluid", "microaneurysm"], "eyes": 6,
     "hits": [0, 5], "voxel_ap": [0.01, 0.4], "voxel_ap_low": 0.0, "voxel_ap_high": 0.5, "prevalence": 0.005,
     "mass_in_finding": 0.1}
)  # fmt: skip


def scores(*, masks: bool = True, label: str = "DR") -> Scores:
    """Six held-out eyes whose map is the better the higher their number, and a control that finds nothing."""
    rows = []
    for k in range(6):
        for method in ("map", "edges"):
            found = 0.3 + 0.1 * k if method == "map" else 0.05
            row = {"model": "training_3d", "subject": f"1000{k}", "part": "held_out", "disease": label, "target": 1,
                   "probability": 0.9, "correct": True, "slab": "ILM_OPL", "method": method, "peak_value": 1.0 + k,
                   "peak_below_ilm_mm": 0.075, "peak_in_slab": 1.0, "slab_share_of_retina": 0.5, "centre_in_slab": 0.0,
                   "lesion_mm3": 0.1 + 0.01 * k, "lesion_share_of_grid": 0.02, "prevalence": 0.04,
                   "peak_in_lesion": float(method == "map"), "voxel_ap": found}  # fmt: skip
            measured = ("mass_in_lesion", "iou_otsu", "dice_otsu", "ioa_otsu", "wioa_otsu", "iou_chosen", "dice_chosen")
            row |= dict.fromkeys(measured, found)
            if not masks:
                names = ("peak_in_lesion", "voxel_ap", "prevalence", "lesion_mm3", "lesion_share_of_grid", *measured)
                row |= dict.fromkeys(names, np.nan)
            rows.append(row)
    table, draw = pd.DataFrame(rows), Bootstrap(resamples=50)
    findings = FINDINGS if masks else FINDINGS.iloc[:0]
    summary = summarise_hits(table, {"training_3d": 0.008}, draw)
    return Scores(table, summary, findings, summarise_sizes(table, draw), SLABS.assign(disease=label))


def places(folder: Path, *, drawn: range = range(6)) -> Places:
    """A folder of figures and a viewer, as versioned datasets leave them."""
    figures = folder / "maps_training_3d" / "2026-11-27T05.45.49.036Z" / "maps_training_3d"
    viewer = folder / "viewer_training_3d" / "2026-11-27T06.30.08.381Z" / "viewer_training_3d" / "index.html"
    for place in (figures, viewer.parent):
        place.mkdir(parents=True, exist_ok=True)
    for k in drawn:
        Image.new("RGB", (1300, 900), (0, 40 * k, 0)).save(figures / f"1000{k}.png")
    viewer.write_text("viewer")
    (viewer.parent / "back.js").write_text("window.EXPLANATION = null;")
    return Places(figures, viewer)
