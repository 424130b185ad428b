"""Keys hold whole configurations, but for what is named as an exception."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import NOT_IN_MAPS, ExplainConfig
from octa_kedro.explain.making import MAP
from octa_kedro.explain.recipes import NOT_OF_NETWORKS, map_recipes
from octa_kedro.models.config import ModelConfig
from octa_kedro.preprocessing.config import WITHOUT, ProcessingConfig
from octa_kedro.results.code import Code
from octa_kedro.results.keys import Key, hash_of, without
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.config import AutoencoderConfig, TrainingConfig
from octa_kedro.training.engine.loop import WITHOUT_EFFECT
from octa_kedro.training.familiar import Familiar

CARD = CheckpointCard(
    kind="classifier",
    model=ModelConfig(name="resnet10"),
    processing=ProcessingConfig(),
    slabs=("ILM_OPL",),
    classes=("NORMAL", "DR"),
    fold=1,
    epoch=3,
    metrics={"val_loss": 1.0},
    seen={"training": ("a",)},
    parameters={"seed": 0},
    code_version="1",
    weights_sha256="0",
)
OTHER_SETTINGS = {
    "target_class": 0,
    "method_3d": "grad_cam",
    "method_2d": "occlusion",
    "layers": ("layer3",),
    "steps": 9,
    **dict.fromkeys(("smooth_depth_mm", "smooth_lateral_mm", "baseline_blur_mm", "smooth_grad_noise"), 0.2),
    **dict.fromkeys(("occlusion_depth_mm", "occlusion_lateral_mm"), 0.2),
    "depth_cell_mm": None,
    "lateral_cell_mm": 0.1,
    "donors": 2,
    "lesion_slabs": {"DR": "FULL"},
    "finding_names": {1: "drusen"},
    "checked_eyes": 1,
    "device": "cpu",
}
OTHER_CARD = {
    "kind": "encoder",
    "model": ModelConfig(name="resnet18"),
    "processing": ProcessingConfig(mirror_left=False),
    "slabs": ("OPL_BM",),
    "patches": {"n": 2, "size": 32},
    "views": {"flip_x": True},
    "classes": ("NORMAL", "AMD"),
    "fold": 2,
    "seed": 2,
    "epoch": 4,
    "metrics": {},
    "seen": {"training": ("b",)},
    "patients": {"a": "p"},
    "parameters": {},
    "familiar": Familiar(eyes=4, curves={}, spans={}),
    "sketches": {"b": "00"},
    "code_version": "2",
    "made_from": {"splits": "00"},
    "saved_as": "training_3d.fold_2.checkpoint",
    "weights_sha256": "1",
}
SPLITS = pd.DataFrame({"subject": ["c"], "held_out": [True]})


def map_key(
    card: CheckpointCard = CARD, config: ExplainConfig | None = None, image: str = "0", laterality: str = "OD"
) -> str:
    images = {"c": Stored(Path("c.nii"), image, {"laterality": laterality})}
    return map_recipes(images, SPLITS, [Checkpoint({}, card)], config or ExplainConfig())["c"].ingredients[MAP]


@pytest.mark.parametrize("name", ExplainConfig.model_fields)
def test_every_parameter_of_explanation_makes_other_maps_but_for_the_exceptions(name: str):
    other = ExplainConfig.model_validate({name: OTHER_SETTINGS[name]})
    assert (map_key(config=other) == map_key()) is (name in NOT_IN_MAPS)


def test_a_class_by_its_name_has_the_map_of_its_index():
    by_name, by_index = (ExplainConfig(target_class=c) for c in ("DR", 1))
    assert map_key(config=by_name) == map_key(config=by_index)
    assert map_key(config=ExplainConfig(target_class="predicted")) != map_key(config=by_index)


def test_the_threshold_matters_to_maps_of_the_predicted_class_alone():
    images, checkpoints = {"c": Stored(Path("c.nii"), "0", {})}, [Checkpoint({}, CARD)]
    keys = {
        (target, threshold): map_recipes(
            images, SPLITS, checkpoints, ExplainConfig(target_class=target), threshold=threshold
        )["c"].ingredients[MAP]
        for target in (1, "predicted")
        for threshold in (0.4, 0.5)
    }
    assert keys[1, 0.4] == keys[1, 0.5]
    assert keys["predicted", 0.4] != keys["predicted", 0.5]


@pytest.mark.parametrize("name", CheckpointCard.model_fields)
def test_all_that_a_card_says_of_its_network_makes_other_maps(name: str):
    other = CheckpointCard.model_validate(CARD.model_dump() | {name: OTHER_CARD[name]})
    assert (map_key(other) == map_key()) is (name in NOT_OF_NETWORKS)


def test_another_image_has_another_map():
    assert map_key(image="1") != map_key()


def test_an_image_that_turns_out_to_be_of_the_other_side_has_another_map():
    assert map_key(laterality="OS") != map_key()


@pytest.mark.parametrize(
    ("config", "exceptions"),
    [
        (ExplainConfig(), NOT_IN_MAPS),
        (CARD, NOT_OF_NETWORKS),
        (TrainingConfig(model=ModelConfig(name="resnet10")), WITHOUT_EFFECT),
        (AutoencoderConfig(model=ModelConfig(name="resnet10")), WITHOUT_EFFECT),
    ],
)
def test_exceptions_are_fields_and_all_other_fields_are_kept(config: Any, exceptions: dict[str, str]):
    assert without(config, exceptions).keys() == type(config).model_fields.keys() - exceptions.keys()
    assert all(exceptions.values())


def test_an_exception_that_is_no_field_is_refused():
    with pytest.raises(ConfigError, match="ExplainConfig has no field devise"):
        without(ExplainConfig(), {"devise": "misspelt"})


def test_settings_that_do_not_matter_to_a_part_are_settings():
    assert set().union(*WITHOUT.values()) <= ProcessingConfig.model_fields.keys()


def test_a_configuration_counts_by_all_its_fields():
    assert hash_of(config=ProcessingConfig()) != hash_of(config=ProcessingConfig(with_oct=True))
    assert hash_of(config=ProcessingConfig()) == hash_of(config=ProcessingConfig().model_dump(mode="json"))


def test_a_strict_key_holds_code_and_libraries():
    code = Code({"a": "1"}, {"torch": "2"})
    keys = [Key("0", code), Key("1", code), Key("0", Code({"a": "2"}, {"torch": "2"})), Key("0", Code({"a": "1"}, {}))]
    assert len({key.name for key in keys}) == 4
