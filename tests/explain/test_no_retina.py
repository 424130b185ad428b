"""Labelled volumes without surfaces: a trained network's map, with the settings of that environment, finds what was
planted, and is summarised by it."""

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import nn

from octa_kedro.explain.cohort import Surroundings, score_maps
from octa_kedro.explain.config import AUTO, ExplainConfig
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.hits_text import format_hits
from octa_kedro.explain.localisation import peak_voxel
from octa_kedro.explain.summary import summarise_hits
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.models.axes import to_tensor
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from tests.conftest import ROOT

SHAPE = (28, 24, 32)
SIDE = 6
MODEL = ModelConfig(name="resnet10", widths=(8, 8, 16, 16))
TRAINING, STEPS = 24, 60
HELD_OUT = range(100, 116)


def settings() -> dict[str, Any]:
    """Those of the environment nifti_folder."""
    merged: dict[str, Any] = {}
    for path in ("base/parameters_explainability.yml", "nifti_folder/parameters.yml"):
        merged |= yaml.safe_load((ROOT / "conf" / path).read_text())["explainability"]
    return merged | {"device": "cpu"}


def volume(index: int) -> tuple[Volume, Volume]:
    """Noise with, in volumes of odd index, a bright blob somewhere, and the blob's mask."""
    rng = np.random.default_rng(index)
    array, mask = (0.4 * rng.random(SHAPE)).astype(np.float32), np.zeros(SHAPE, np.uint8)
    if index % 2:
        box = tuple(slice(k, k + SIDE) for k in rng.integers(0, [n - SIDE for n in SHAPE]))
        array[box] += 0.5
        mask[box] = 1
    affine = scan_affine(SHAPE, (2.8, 2.4, 3.2))
    return Volume(array, affine, "OCTA", source=str(index)), Volume(mask, affine, "lesion")


@functools.cache
def trained() -> Checkpoint:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = build_model(MODEL)
    images = torch.stack([to_tensor(volume(index)[0]) for index in range(TRAINING)])
    labels = torch.arange(TRAINING) % 2
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(STEPS):
        some = torch.randperm(TRAINING)[:12]
        flips = [axis for axis in (2, 3, 4) if torch.rand(()) < 0.5]
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images[some].flip(flips)), labels[some]).backward()
        optimiser.step()
    card = CheckpointCard(
        kind="classifier", model=MODEL, processing=ProcessingConfig(), classes=("0", "1"), fold=1, epoch=STEPS,
        metrics={}, seen={}, parameters={}, code_version="test",
    )  # fmt: skip
    return Checkpoint(dict(model.state_dict()), card)


@pytest.fixture(scope="module")
def found() -> dict[str, Volume]:
    """The default 3D method's map of each held-out volume with a blob."""
    explainer = Explainer(trained(), ExplainConfig.model_validate(settings()))
    return {str(index): mean_map([explainer], volume(index)[0]) for index in HELD_OUT if index % 2}


def test_the_environment_takes_the_last_layer_and_the_default_method():
    assert settings()["depth_cell_mm"] is None
    assert settings()["method_3d"] == AUTO
    assert Explainer(trained(), ExplainConfig.model_validate(settings())).config.method_3d == "integrated_gradients"


def test_the_peak_lies_in_the_blob(found: dict[str, Volume]):
    hits = [bool(volume(int(s))[1].array[peak_voxel(heat.array, heat.spacing)]) for s, heat in found.items()]
    assert sum(hits) == len(hits)  # a voxel at random: SIDE ** 3 of 21 504, one in a hundred


def test_hits_are_summarised_where_there_are_masks_but_no_slab_and_no_surfaces(found: dict[str, Volume]):
    subjects = [*found]
    predictions = pd.DataFrame(
        {
            "model": "training_3d",
            "subject": subjects,
            "part": "held_out",
            "disease": "1",
            "target": 1,
            "probability": 0.9,
        }
    )
    maps, masks = ({s: functools.partial(item, s) for s in subjects} for item in (found.__getitem__, mask_of))
    config = ExplainConfig.model_validate(settings())
    scores = score_maps(maps, Surroundings({}, masks), predictions, config, 0.5)
    assert scores["peak_in_slab"].isna().all()
    summary = summarise_hits(scores, {})
    row = summary.query("part == 'all'").iloc[0]
    assert row[["n", "n_lesion", "lesion_hits"]].tolist() == [0, 8, 8]
    assert row["lesion_low"] > row["prevalence"]
    assert "peak in the lesion in 8 of 8 correctly classified eyes" in format_hits(summary)


def mask_of(subject: str) -> Volume:
    return volume(int(subject))[1]


def test_the_last_layer_of_a_grad_cam_there_is_told_to_be_coarse():
    explainer = Explainer(trained(), ExplainConfig.model_validate(settings() | {"method_3d": "grad_cam"}))
    assert "layer4 has 1 x 1 x 1 cells (depth, y, x), fewer than 4" in explainer.describe(volume(1)[0])["note"]
