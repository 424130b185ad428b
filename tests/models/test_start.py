"""What networks start from: timm's files and MedicalNet's; what was loaded is said, what does not fit is refused."""

import logging
import pickle
from pathlib import Path

import pytest
import timm
import torch
from pydantic import ValidationError
from torch import nn

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.files import read_weights
from octa_kedro.models.start import start_model
from octa_kedro.models.start_config import StartConfig
from tests.models.helpers import randomise_statistics, save_2d


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, str]:
    """timm's ResNet-18 as published: three colours, a thousand classes."""
    torch.manual_seed(1)
    net_2d = randomise_statistics(timm.create_model("resnet18")).eval()
    return net_2d, save_2d(net_2d, tmp_path_factory.mktemp("timm"))


def from_timm(file: str, **settings: object) -> tuple[nn.Module, object]:
    config = ModelConfig(**settings)
    model = build_model(config)
    return model.eval(), start_model(model, config, StartConfig(weights="timm", weights_file=file))


def without_head(model: nn.Module) -> nn.Module:
    model.fc = nn.Identity()
    return model


def test_one_channel_sees_the_sum_over_colour(resnet18):
    net_2d, file = resnet18
    model, started = from_timm(file, name="resnet18", spatial_dims=2)
    assert {*started.left} == {"fc.weight", "fc.bias"}
    assert "1000" in started.left["fc.weight"]
    assert len(started.loaded) == len(net_2d.state_dict()) - 2
    torch.testing.assert_close(model.conv1.weight, net_2d.conv1.weight.sum(1, keepdim=True))
    grey = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        expected = without_head(copy_2d(net_2d))(grey.expand(-1, 3, -1, -1))
        torch.testing.assert_close(without_head(model)(grey), expected, rtol=1e-4, atol=1e-5)


def copy_2d(net_2d: nn.Module) -> nn.Module:
    copy = timm.create_model("resnet18").eval()
    copy.load_state_dict(net_2d.state_dict())
    return copy


@pytest.mark.parametrize("dims", [2, 3])
def test_equal_slabs_answer_as_one(resnet18, dims: int):
    one, _ = from_timm(resnet18[1], name="resnet18", spatial_dims=dims)
    two, _ = from_timm(resnet18[1], name="resnet18", spatial_dims=dims, in_channels=2)
    image = torch.rand(1, 1, *(32,) * dims)
    with torch.no_grad():
        twice = without_head(two)(image.expand(-1, 2, *image.shape[2:]))
        torch.testing.assert_close(without_head(one)(image), twice, rtol=1e-4, atol=1e-5)


def test_three_channels_are_taken_as_colours(resnet18):
    model, _ = from_timm(resnet18[1], name="resnet18", spatial_dims=2, in_channels=3, classes=1000)
    assert torch.equal(model.conv1.weight, resnet18[0].conv1.weight)
    assert torch.equal(model.fc.weight, resnet18[0].fc.weight)  # a head for the same classes is taken too


def test_acs_takes_the_2d_weights_as_they_are(resnet18):
    model, started = from_timm(resnet18[1], name="resnet18", convolution="acs", in_channels=3)
    assert torch.equal(model.layer1[0].conv1.weight, resnet18[0].layer1[0].conv1.weight)
    assert {*started.left} == {"fc.weight", "fc.bias"}


def test_inflated_networks_and_networks_of_monai_get_the_same_kernels(resnet18):
    ours, _ = from_timm(resnet18[1], name="resnet18", in_channels=3)
    converted, _ = from_timm(resnet18[1], name="resnet18", convolution="inflated", in_channels=3)
    volume = torch.rand(1, 3, 40, 33, 48)
    with torch.no_grad():
        a, b = without_head(ours)(volume), without_head(converted)(volume)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_what_is_at_zero_is_said(resnet18, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "octa_kedro.models.start"):
        model, started = from_timm(resnet18[1], name="resnet18")
    assert started.left["layer2.0.downsample.0.bias"].startswith("zero")
    assert not model.layer2[0].downsample[0].bias.any()
    assert "fc.weight: a head for 2 classes" in caplog.text


def test_group_norm_takes_scales_and_leaves_statistics(resnet18):
    model, started = from_timm(resnet18[1], name="resnet18", norm="group", norm_stages=True)
    assert torch.equal(model.layer3[0].bn1.weight, resnet18[0].layer3[0].bn1.weight)
    assert "layer3.0.bn1.running_mean" in started.unused


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_keep_their_convolutions(name: str, tmp_path: Path):
    torch.manual_seed(0)
    if name == "googlenet":
        from torchvision.models import googlenet

        net_2d = googlenet(weights=None, init_weights=False)
        config = ModelConfig(name=name, spatial_dims=2, auxiliary=True)
        convolution, head = "aux1.conv.conv.weight", "aux1.fc2.weight"
    else:
        net_2d = timm.create_model(name, aux_logits=True)
        config = ModelConfig(name=name, auxiliary=True)
        convolution, head = "AuxLogits.conv0.conv.weight", "AuxLogits.fc.weight"
    file = save_2d(net_2d, tmp_path)
    model = build_model(config)
    started = start_model(model, config, StartConfig(weights="timm", weights_file=file))
    assert convolution in started.loaded
    assert head in started.left


def test_files_that_do_not_fit_are_refused_and_change_nothing(resnet18, tmp_path: Path):
    config = ModelConfig(name="resnet34", spatial_dims=2)
    model = build_model(config)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"published\.safetensors: no weights for resnet34"):
        start_model(model, config, StartConfig(weights="timm", weights_file=resnet18[1]))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    weights = {k: v for k, v in timm.create_model("inception_v3").state_dict().items() if "Mixed_6a" not in k}
    torch.save(weights, tmp_path / "partial.pth")
    config = ModelConfig(name="inception_v3", width=1.0)
    with pytest.raises(CheckpointError, match="Mixed_6a"):
        start_model(
            build_model(config), config, StartConfig(weights="timm", weights_file=str(tmp_path / "partial.pth"))
        )


def test_without_a_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def offline(*_: object, **__: object) -> nn.Module:
        raise OSError("cannot reach the hub")

    monkeypatch.setattr("octa_kedro.models.pretrained.create_model", offline)
    config = ModelConfig(name="resnet18", spatial_dims=2)
    with pytest.raises(CheckpointError, match=r"cannot reach the hub.*give weights_file"):
        start_model(build_model(config), config, StartConfig(weights="timm"))


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"PK\x03\x04 half a download", "not a file of plain tensors"),
        (pickle.dumps({"conv1.weight": Bomb()}), "not a file of plain tensors"),
    ],
)
def test_damaged_and_executable_files_are_refused(content, words: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("weights.pth", "weights.safetensors"):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=words):
            read_weights(tmp_path / name)
    torch.save({"state_dict": {"conv1.weight": Bomb()}}, tmp_path / "bomb.pth")
    with pytest.raises(CheckpointError, match="not a file of plain tensors"):
        read_weights(tmp_path / "bomb.pth")
    torch.save({"state_dict": {"a": 1}}, tmp_path / "number.pth")
    with pytest.raises(CheckpointError, match="no dictionary of tensors"):
        read_weights(tmp_path / "number.pth")
    assert not (tmp_path / "exploded").exists()


def medicalnet_file(folder: Path, name: str, **changes: object) -> str:
    """As published: DataParallel's prefix, under state_dict, no head; no shortcut weights in ResNet-18, no bias there
    in others."""
    torch.manual_seed(2)
    source = randomise_statistics(build_model(ModelConfig(name=name))).state_dict()
    skip = ("fc.", ".downsample.0.bias") if name != "resnet18" else ("fc.", ".downsample.")
    kept = {f"module.{k}": v for k, v in source.items() if not any(s in k for s in skip)} | changes
    file = folder / f"{name}_23dataset.pth"
    torch.save({"epoch": 80, "state_dict": {k: v for k, v in kept.items() if v is not None}, "optimizer": {}}, file)
    return str(file)


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet50"])
def test_medicalnet_is_loaded_whole(name: str, tmp_path: Path):
    file = medicalnet_file(tmp_path, name)
    published = torch.load(file, weights_only=True)["state_dict"]
    config = ModelConfig(name=name)
    model = build_model(config)
    started = start_model(model, config, StartConfig(weights="medicalnet", weights_file=file))
    state = model.state_dict()
    assert all(torch.equal(state[k.removeprefix("module.")], v) for k, v in published.items() if "tracked" not in k)
    assert len(started.loaded) == sum("tracked" not in k for k in published)
    why = {v for k, v in started.left.items() if not k.startswith("fc.")}
    assert why == {
        "MedicalNet's shortcuts have no weights" if name == "resnet18" else "zero, MedicalNet's layer has no bias"
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"module.layer2.0.conv1.weight": None}, "has no layer2.0.conv1.weight"),
        ({"module.layer5.weight": torch.zeros(1)}, "layer5.weight is in no such network"),
        ({"module.layer1.0.conv1.weight": torch.zeros(32, 32, 3, 3, 3)}, "does not fit"),
    ],
)
def test_other_files_than_medicalnets_are_refused(changes: dict, words: str, tmp_path: Path):
    config = ModelConfig(name="resnet10")
    with pytest.raises(CheckpointError, match=words):
        start_model(
            build_model(config),
            config,
            StartConfig(weights="medicalnet", weights_file=medicalnet_file(tmp_path, "resnet10", **changes)),
        )


def test_impossible_starts_are_refused(resnet18):
    for wrong, words in [
        ({"weights": "medicalnet"}, "weights_file"),
        ({"weights_file": "x.pth"}, "reads no weights_file"),
        ({"weights": "imagenet"}, "weights"),
    ]:
        with pytest.raises(ValidationError, match=words):
            StartConfig(**wrong)
    for settings, start in [
        ({"name": "vgg16"}, {"weights": "medicalnet", "weights_file": "x.pth"}),
        ({"name": "cv3fc2"}, {"weights": "timm", "weights_file": resnet18[1]}),
        ({"name": "resnet18", "width": 0.5}, {"weights": "timm", "weights_file": resnet18[1]}),
    ]:
        config = ModelConfig(**settings)
        with torch.device("meta"):
            model = build_model(config)
        with pytest.raises(ConfigError, match="choose"):
            start_model(model, config, StartConfig(**start))
    assert start_model(nn.Identity(), ModelConfig(), StartConfig()).source == "random"


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file, as a failed download leaves it; download it again"),
        (b"\n<!DOCTYPE html><html>404</html>", "a web page and no weights, as a failed download"),
        (b"something else", "not a file of plain tensors .*"),
    ],
)
def test_what_is_no_weights_file_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, words: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}: {words}"):
        read_weights(tmp_path / name)


def test_a_folder_is_no_weights_file(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"is a folder; give weights_file the path of a downloaded file"):
        read_weights(tmp_path)
