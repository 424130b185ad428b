"""The figures of a cohort."""

from pathlib import Path

import numpy as np
import pandas as pd

from octa_kedro.explain.cohort import Surroundings
from octa_kedro.explain.drawing import PlaneMaps, draw_maps, was_mirrored
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored, write_result

SHAPE = (8, 6, 10)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 0.8))


def keep(folder: Path, name: str, item: Volume | PlaneStack, **meta) -> Stored:
    said = write_result(folder / f"{name}.nii", Result(item))
    return Stored(folder / said["file"], said["sha256"], said["meta"] | meta)


def test_all_eyes_are_drawn_on_one_scale_when_they_are_saved(tmp_path: Path):
    rng = np.random.default_rng(0)
    images, maps, flat, enface = {}, {}, {}, {}
    for k, subject in enumerate(("1", "2"), 1):
        placement = {"placement": {"mirrored": True}}
        images[subject] = keep(tmp_path, f"i{k}", Volume(rng.random(SHAPE), AFFINE, "OCTA", "OS"), **placement)
        maps[subject] = keep(tmp_path, f"m{k}", Volume(k * rng.random(SHAPE), AFFINE, "map"))
        flat[subject] = keep(tmp_path, f"f{k}", PlaneStack(k * rng.random((*SHAPE[:2], 1)), AFFINE, ("map",)))
        enface[subject] = keep(tmp_path, f"e{k}", PlaneStack(rng.random((*SHAPE[:2], 1)), AFFINE, ("ILM_OPL",)))
    rows = pd.DataFrame({"subject": ["1", "2"], "disease": "DR", "target": 1, "probability": [0.2, 0.9]})
    figures = draw_maps(
        images, maps, rows, Surroundings(enface=enface), threshold=0.5, model="3D network",
        plane=PlaneMaps(flat, ("ILM_OPL",)),
    )  # fmt: skip
    assert list(figures) == ["1.png", "2.png"]
    first = figures["1.png"].draw()
    assert first.axes[4].images[1].get_clim()[1] == maps["2"]().array.max()
    assert first.axes[10].images[1].get_clim()[1] == flat["2"]().array.max()
    assert "WRONG" in " ".join(text.get_text() for text in first.texts)
    assert first.axes[4].get_xlabel().startswith("T")
    figures["2.png"].savefig(tmp_path / "2.png", format="png")
    assert (tmp_path / "2.png").stat().st_size > 10_000


def test_an_eye_without_placement_may_or_may_not_be_mirrored(tmp_path: Path):
    stored = keep(tmp_path, "x", Volume(np.ones(SHAPE), AFFINE, "OCTA", "OS"))
    assert was_mirrored(stored) is None
