"""Builders of the 3D networks: MONAI's where it has one, else this project's own."""

from collections.abc import Callable

from monai.networks.nets import DenseNet, EfficientNet, ResNet
from torch import nn

from octa_kedro.models.config import ModelConfig
from octa_kedro.models.inception import InceptionV3
from octa_kedro.models.modules import NORMS, make_norm
from octa_kedro.models.small import ConvNet3D
from octa_kedro.models.stages import RESNET_STAGES
from octa_kedro.models.stem import fold_stem
from octa_kedro.models.vgg import BLOCKS, VGG3D
from octa_kedro.models.vit import VisionTransformer3D

RESNET_LAYERS = {
    "resnet10": (1, 1, 1, 1),
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}
# Tan and Le 2019, table 1: repeats, kernel, stride, expansion, channels in, channels out.
MBCONV = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2), 3: (1.2, 1.4), 4: (1.4, 1.8)}  # width, depth of b0 to b4


def build_native(config: ModelConfig) -> nn.Module:
    """The 3D network of `config`, with random weights."""
    return BUILDERS[config.family](config)


def _resnet(config: ModelConfig) -> nn.Module:
    name = config.canonical_name
    network = ResNet(
        "bottleneck" if name == "resnet50" else "basic",
        list(RESNET_LAYERS[name]),
        list(config.widths or ()),
        spatial_dims=3,
        n_input_channels=config.in_channels,
        conv1_t_size=7,
        conv1_t_stride=config.stem_stride,
        num_classes=config.classes,
        norm=NORMS[config.norm],
    )
    if config.norm_stages:
        for stage in RESNET_STAGES:
            _replace_batch_norm(getattr(network, stage), config.norm)
    if config.dropout:
        network.fc = nn.Sequential(nn.Dropout(config.dropout), network.fc)
    return fold_stem(network)


def _replace_batch_norm(module: nn.Module, kind: str) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm3d):
            setattr(module, name, make_norm(kind, child.num_features))
        else:
            _replace_batch_norm(child, kind)


def _densenet(config: ModelConfig) -> nn.Module:
    network = DenseNet(
        3,
        config.in_channels,
        config.classes,
        init_features=max(4, round(64 * config.width)),
        growth_rate=max(4, round(32 * config.width)),
        norm=NORMS[config.norm],
    )
    if config.dropout:
        network.class_layers.out = nn.Sequential(nn.Dropout(config.dropout), network.class_layers.out)
    return network


def _efficientnet(config: ModelConfig) -> nn.Module:
    width, depth = SCALES[int(config.canonical_name[-1])]
    network = EfficientNet(
        [f"r{r}_k{k}_s{s}{s}_e{e}_i{i}_o{o}_se0.25" for r, k, s, e, i, o in MBCONV],
        spatial_dims=3,
        in_channels=config.in_channels,
        num_classes=config.classes,
        width_coefficient=width * config.width,
        depth_coefficient=depth,
        dropout_rate=config.dropout,
        norm=NORMS[config.norm],  # batch norm with PyTorch's epsilon, as timm's; MONAI's is TensorFlow's
        drop_connect_rate=0.0,
    )
    network.set_swish(memory_efficient=False)
    _pad_evenly(network)
    return network


def _pad_evenly(module: nn.Module) -> None:
    """Half a kernel of padding on both sides, as timm has it.

    MONAI pads for one size of image, more at the end than at the beginning: cells would be displaced from what they
    see, small images would be refused, and timm's weights would not mean the same.
    """
    for name, child in [*module.named_children()]:
        if name.endswith("_padding"):
            setattr(module, name, nn.Identity())
        elif isinstance(child, nn.Conv3d):
            child.padding = tuple(k // 2 for k in child.kernel_size)
        else:
            _pad_evenly(child)


def _vgg(config: ModelConfig) -> nn.Module:
    name = config.canonical_name
    return VGG3D(
        BLOCKS[name],
        config.widths or (),
        in_channels=config.in_channels,
        classes=config.classes,
        norm=config.norm,
        dropout=config.dropout,
        linear_layers=name == "vgg16_narrow",
    )


def _inception(config: ModelConfig) -> nn.Module:
    return InceptionV3(
        in_channels=config.in_channels,
        classes=config.classes,
        width=config.width,
        norm=config.norm,
        dropout=config.dropout,
        auxiliary=config.auxiliary,
    )


def _vit(config: ModelConfig) -> nn.Module:
    return VisionTransformer3D(
        config.canonical_name,
        in_channels=config.in_channels,
        classes=config.classes,
        width=config.width,
        dropout=config.dropout,
    )


def _small(config: ModelConfig) -> nn.Module:
    return ConvNet3D(
        config.widths or (),
        in_channels=config.in_channels,
        classes=config.classes,
        norm=config.norm,
        dropout=config.dropout,
    )


BUILDERS: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "resnet": _resnet,
    "vgg": _vgg,
    "inception": _inception,
    "efficientnet": _efficientnet,
    "densenet": _densenet,
    "vit": _vit,
    "small": _small,
}
