"""Which eyes are donors, what a map's key holds of them, and what is said where something is missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.config import WITH_DONORS, WITHOUT_DONORS, ExplainConfig
from octa_kedro.explain.context import Contexts
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.making import MAP, SLAB_VALUES
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.recipes import map_recipes, settle_method, slab_value_job
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from tests.explain.anatomies import anatomy, eye_of, flat_layers
from tests.explain.test_draw_maps import keep

MODEL = ModelConfig(name="resnet10", widths=(4, 4, 8, 8))
SUBJECTS = {
    # subject: patient, diseased, held out
    "1": ("p", 1, True),
    "2": ("p", 0, False),
    "3": ("q", 0, False),
    "4": ("r", 0, False),
    "5": ("s", 0, True),
    "6": ("t", 1, False),
}
NEEDING = [name for name, method in METHODS.items() if method.needs]


def checkpoint(model: ModelConfig = MODEL) -> Checkpoint:
    torch.manual_seed(0)
    card = CheckpointCard(
        kind="classifier", model=model, processing=ProcessingConfig(), classes=("NORMAL", "DR"), fold=1, epoch=1,
        slabs=("ILM_OPL",) if model.spatial_dims == 2 else (), metrics={}, seen={}, parameters={}, code_version="1",
    )  # fmt: skip
    return Checkpoint(build_model(model).state_dict(), card)


@pytest.fixture
def splits() -> pd.DataFrame:
    rows = [(s, p, target, held_out) for s, (p, target, held_out) in SUBJECTS.items()]
    return pd.DataFrame(rows, columns=["subject", "patient", "target", "held_out"])


def stored_eye(folder: Path, subject: str, *, size: int = 32, names: int = 4) -> tuple[Stored, Stored]:
    image = torch.rand((1, 1, 40, 32, size), generator=torch.Generator().manual_seed(int(subject)))
    eye = eye_of(image, f"eye {subject}")
    return keep(folder, f"i{subject}", eye), keep(folder, f"s{subject}", flat_layers(eye, (2, 4, 8, 10)[:names]))


@pytest.fixture
def eyes(tmp_path: Path) -> tuple[dict[str, Stored], dict[str, Stored]]:
    pairs = {subject: stored_eye(tmp_path, subject) for subject in SUBJECTS}
    return {s: image for s, (image, _) in pairs.items()}, {s: surfaces for s, (_, surfaces) in pairs.items()}


def contexts(eyes, splits: pd.DataFrame, count: int = 4) -> Contexts:
    return Contexts(*eyes, splits, count=count, mask_slab=None)


def test_donors_are_healthy_development_eyes_of_other_patients(eyes, splits: pd.DataFrame):
    found = contexts(eyes, splits)
    assert [eye.subject for eye in found.donors("1")] == ["3", "4"]
    assert [eye.subject for eye in found.donors("3")] == ["2", "4"]
    assert [eye.subject for eye in contexts(eyes, splits.iloc[::-1], 2).donors("6")] == ["2", "3"]
    assert found.donors("1")[0].donor is found.donors("2")[0].donor  # read once


def test_donors_have_to_fit(eyes, splits: pd.DataFrame, tmp_path: Path):
    images, surfaces = eyes
    images["3"], surfaces["3"] = stored_eye(tmp_path, "3", size=24)
    assert [eye.subject for eye in contexts(eyes, splits).donors("1")] == ["4"]
    surfaces["4"] = stored_eye(tmp_path, "4", names=2)[1]
    assert not contexts(eyes, splits).donors("1")
    images, surfaces = dict.fromkeys(SUBJECTS, images["1"]), dict.fromkeys(SUBJECTS, surfaces["1"])
    images["3"] = replace(images["3"], meta={**images["3"].meta, "laterality": "OS"})  # not mirrored
    assert [eye.subject for eye in contexts((images, surfaces), splits).donors("1")] == ["4"]


@pytest.mark.parametrize("name", METHODS)
def test_keys_hold_surfaces_and_donors_only_where_a_method_needs_them(name: str, eyes, splits: pd.DataFrame):
    images, surfaces = eyes

    def key(known: dict[str, Stored]) -> str:
        config = ExplainConfig.model_validate({"method_3d": name})
        return map_recipes(images, splits, [checkpoint()], config, surfaces=known)["1"].ingredients[MAP]

    before = key(surfaces)
    for subject, matters in (("1", True), ("3", True), ("2", False), ("5", False)):
        path = surfaces[subject].path.with_name(f"other_{subject}.nii")
        path.write_bytes(surfaces[subject].path.read_bytes() + b" ")
        other = replace(surfaces[subject], path=path, sha256=sha256_of(path))
        assert (key(surfaces | {subject: other}) != before) is (matters and name in NEEDING), subject


@pytest.mark.parametrize("name", NEEDING)
def test_what_a_method_needs_is_asked_for_before_anything_is_computed(name: str, eyes, splits: pd.DataFrame):
    images, surfaces = eyes
    config = ExplainConfig.model_validate({"method_3d": name})
    without_one = {s: one for s, one in surfaces.items() if s != "5"}
    match = f"method_3d is {name}, which needs surfaces, but subject 5 has no .*BM; choose one of grad_cam, .*occlusion"
    with pytest.raises(ConfigError, match=match):
        map_recipes(images, splits, [checkpoint()], config, surfaces=without_one)
    diseased = splits.assign(target=1)
    with pytest.raises(ConfigError, match=f"{name}, which needs healthy donor eyes, but none fits subject 1"):
        map_recipes(images, diseased, [checkpoint()], config, surfaces=surfaces)


@pytest.mark.parametrize("name", NEEDING)
def test_an_explainer_refuses_too(name: str):
    image, donor = torch.rand(1, 1, 40, 32, 32), torch.rand(1, 1, 40, 32, 32)
    explainer = Explainer(checkpoint(), ExplainConfig.model_validate({"method_3d": name, "method_2d": name}))
    known = anatomy(image, donor)
    with pytest.raises(ConfigError, match=f"{name}, which needs surfaces, but an eye has no"):
        explainer.explain(known.eye)
    with pytest.raises(ConfigError, match="healthy donor eyes"):
        explainer.explain(known.eye, anatomy=replace(known, donors=()))
    with pytest.raises(DataError, match="is that of an eye"):
        explainer.explain(eye_of(donor, "another"), anatomy=known)
    flat = PlaneStack(np.ones((32, 32, 1), np.float32), np.eye(4), ("ILM_OPL",), source="a flat eye")
    with pytest.raises(ConfigError, match=f"method_2d is {name}, which needs a volume, but a flat eye is seen in en-f"):
        explainer.explain(flat)
    heat = explainer.explain(known.eye, anatomy=known)
    assert isinstance(heat, Volume)
    assert heat.array.shape == known.eye.array.shape


def test_a_method_without_needs_runs_where_no_surfaces_are_known(eyes, splits: pd.DataFrame):
    recipes = map_recipes(eyes[0], splits, [checkpoint()], ExplainConfig())
    assert recipes["1"].make([MAP])[MAP].item.array.any()


def test_the_automatic_method_compares_with_donors_where_every_eye_can_be(eyes, splits: pd.DataFrame, caplog):
    images, surfaces = eyes
    named = settle_method(images, splits, [checkpoint()], ExplainConfig(), surfaces)
    assert named.method_3d == WITH_DONORS
    fewer = {s: one for s, one in surfaces.items() if s != "5"}
    with caplog.at_level("INFO"):
        assert settle_method(images, splits, [checkpoint()], ExplainConfig(), fewer).method_3d == WITHOUT_DONORS
    assert "subject 5 has no ILM, BM" in caplog.text
    chosen = ExplainConfig(method_3d="grad_cam")
    assert settle_method(images, splits, [checkpoint()], chosen, surfaces) == chosen


def test_slab_values_are_those_of_held_out_eyes_that_have_surfaces(eyes, splits: pd.DataFrame, caplog):
    images, surfaces = eyes
    explained = ExplainConfig(donors=1)
    job = slab_value_job(images, splits, [checkpoint(), checkpoint()], explained, threshold=0.5, surfaces=surfaces)
    assert list(job.recipes) == ["1", "5"]
    planes = job.recipes["1"].make([SLAB_VALUES])[SLAB_VALUES].item
    assert planes.array.shape == (2, 1, 4)
    known = Anatomy(images["1"](), surfaces["1"](), (contexts(eyes, splits, 1).donors("1")[0].donor,))
    np.testing.assert_allclose(planes.array[1, 0], Explainer(checkpoint(), explained).slab_values(known.eye, known))
    with caplog.at_level("INFO"):
        assert not slab_value_job(images, splits, [checkpoint()], explained, threshold=0.5, surfaces={}).recipes
    assert "2 of 2 held-out eyes get no values of their slabs" in caplog.text


def test_slab_values_do_not_depend_on_how_maps_are_made(eyes, splits: pd.DataFrame):
    keys = [
        slab_value_job(eyes[0], splits, [checkpoint()], config, threshold=0.5, surfaces=eyes[1])
        .recipes["1"]
        .ingredients[SLAB_VALUES]
        for config in (ExplainConfig(), ExplainConfig(steps=9), ExplainConfig(target_class=0))
    ]
    assert keys[0] == keys[1] != keys[2]
