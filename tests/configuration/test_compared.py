"""The networks of the comparison: entries, presets, and the parameters that follow from them."""

from typing import Any

import pytest
import torch

from octa_kedro.configuration.compared import PRESETS, ComparedNetwork, derived_parameters
from octa_kedro.configuration.parameters import check_parameters
from octa_kedro.configuration.structure import parse_structure
from octa_kedro.errors import ConfigError
from octa_kedro.models.factory import build_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.compared import describe_network
from octa_kedro.training.config import TrainingConfig

BASE: dict[str, Any] = {
    "source": "phantom", "folds": 2, "pretraining": False, "models": {"training_3d": 3, "training_2d": 2}
}  # fmt: skip
PARAMETERS: dict[str, Any] = {
    "training_3d": {"model": {"name": "resnet18", "spatial_dims": 3, "widths": [4, 4, 8, 8]}, "max_epochs": 60},
    "training_2d": {"model": {"name": "resnet18", "spatial_dims": 2}, "slabs": ["ILM_OPL"]},
    "pretraining": {"model": {"name": "resnet10"}},
    "processing": {"slabs": ["ILM_OPL"]},
}
ENTRY = {"name": "one", "like": "training_3d"}


def structure(*entries: dict[str, Any] | str) -> Any:
    compared = entries[0] if entries and isinstance(entries[0], str) else entries
    return parse_structure(BASE | {"comparison": compared})


def test_an_entry_changes_what_it_says_and_no_more():
    entry = ComparedNetwork(
        **ENTRY, model={"width": 0.5}, parameters={"stop": {"keep": "last"}}, start_weights="autoencoder"
    )
    found = derived_parameters(PARAMETERS["training_3d"], entry)
    assert found["model"] == {"name": "resnet18", "spatial_dims": 3, "widths": [4, 4, 8, 8], "width": 0.5}
    assert found["max_epochs"] == 60
    assert found["stop"] == {"keep": "last"}
    assert found["start"]["weights"] == "pretraining"
    assert "start" not in PARAMETERS["training_3d"]


def test_widths_do_not_pass_on_to_another_network():
    entry = ComparedNetwork(**ENTRY, model={"name": "inception_v3"})
    assert derived_parameters(PARAMETERS["training_3d"], entry)["model"] == {"name": "inception_v3", "spatial_dims": 3}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([ENTRY, ENTRY], "one is the name of two networks"),
        ([ENTRY, ENTRY | {"name": "ONE"}], "one and ONE differ"),
        ([ENTRY | {"like": "training_4d"}], "one is like training_4d, which is not among the models"),
        ([ENTRY | {"name": "../x"}], "cannot name a folder"),
        ([ENTRY | {"name": "floor_x"}], "begins like a floor"),
        ([ENTRY | {"modle": {}}], r"modle: unknown parameter, did you mean model\?"),
        (
            [ENTRY | {"like": "training_2d", "start_weights": "autoencoder"}],
            "one is 2D, but an autoencoder is of volumes",
        ),
        (["papre"], "papre.* is no preset; there are paper, small"),
    ],
)
def test_an_impossible_list_is_refused(entries: list[Any], words: str):
    with pytest.raises(ConfigError, match=rf"structure\.yml: comparison.*{words}"):
        structure(*entries)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"model": {"name": "resnet19"}}, "no 3D network"),
        ({"model": {"name": "vgg16"}, "start_weights": "autoencoder"}, "only a 3D ResNet has an autoencoder"),
        ({"parameters": {"max_epoch": 3}}, "max_epoch: unknown parameter"),
        (
            {"model": {"name": "resnet34", "spatial_dims": 2}, "parameters": {"slabs": ["ILM_OPL"]}},
            "spatial_dims is that of",
        ),
    ],
)
def test_impossible_parameters_name_the_entry(entry: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=rf"structure\.yml: comparison: one: .*{words}"):
        check_parameters(PARAMETERS, structure(ENTRY | entry))


def test_a_preset_leaves_out_what_the_environment_has_no_model_for():
    assert [one.name for one in structure("small").comparison] == [
        "resnet18_2d",
        "resnet18_3d",
        "resnet18_3d_autoencoder",
    ]
    only_3d = parse_structure(BASE | {"models": {"training_3d": 3}, "comparison": "small"})
    assert [one.name for one in only_3d.comparison] == ["resnet18_3d", "resnet18_3d_autoencoder"]
    assert parse_structure(BASE).comparison == ()


def test_the_paper_has_its_networks_with_and_without_the_autoencoder():
    names = {one.name for one in PRESETS["paper"]}
    assert names == {
        "vgg19_2d", "resnet50_2d", "resnet152_2d", "inception_v3_2d", "resnet18_3d", "resnet50_3d", "inception_v3_3d",
        "resnet18_3d_autoencoder", "resnet50_3d_autoencoder",
    }  # fmt: skip
    check_parameters(PARAMETERS, structure("paper"))


def config_of(entry: ComparedNetwork) -> TrainingConfig:
    return TrainingConfig.model_validate(derived_parameters(PARAMETERS[entry.like], entry))


def test_a_grid_that_a_network_cannot_take_is_refused_before_any_training():
    entry = next(one for one in PRESETS["paper"] if one.name == "inception_v3_3d")
    small, enough = (ProcessingConfig(grid=(side, side, 96)) for side in (64, 80))
    with pytest.raises(ConfigError, match=r"comparison: inception_v3_3d: .*96 x 64 x 64; the smallest side .* is 75"):
        describe_network(config_of(entry), small, "none", who=entry.name)
    facts = describe_network(config_of(entry), enough, "none", who=entry.name)
    assert facts["network"] == "inception_v3"
    assert facts["parameters"] > 2e7


@pytest.mark.slow
@pytest.mark.parametrize("entry", PRESETS["paper"], ids=lambda one: one.name)
def test_every_network_of_the_paper_is_built_and_says_something(entry: ComparedNetwork):
    model = config_of(entry).model
    side = 80 if "inception" in entry.name else 32
    with torch.inference_mode():
        logits = build_model(model).eval()(torch.zeros(1, 1, *[side] * model.spatial_dims))
    assert logits.shape == (1, 2)
    assert torch.isfinite(logits).all()
