"""The stages of a network, from fine to coarse: for explanation, and for freezing."""

from dataclasses import dataclass
from functools import partial

from monai.networks.nets import DenseNet, EfficientNet
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.models.heads import WithAuxiliary

RESNET_STAGES = ("layer1", "layer2", "layer3", "layer4")
DENSE_BLOCKS = tuple(f"features.denseblock{n}" for n in range(1, 5))
GOOGLENET_STAGES = ("inception3b", "inception4e", "inception5b")
AUXILIARY = ("AuxLogits", "aux1", "aux2")


@dataclass(frozen=True)
class Cells:
    """Where the cells of a stage lie: cell ``i`` is centred on input voxel ``i * stride + offset``, on each axis."""

    stride: int
    offset: float


# Unpadded convolutions and poolings, and poolings of even size, move the centres.
INCEPTION_CELLS = {
    "Conv2d_2b_3x3": Cells(2, 3),
    "Conv2d_4a_3x3": Cells(4, 9),
    "Mixed_5d": Cells(8, 13),
    "Mixed_6e": Cells(16, 21),
    "Mixed_7c": Cells(32, 37),
}
DENSENET_CELLS = {name: Cells(4 * 2**n, 2 * (2**n - 1)) for n, name in enumerate(DENSE_BLOCKS)} | {
    "features.norm0": Cells(2, 0),
    "features.norm5": Cells(32, 14),
}
GOOGLENET_CELLS = {"inception3b": Cells(8, 6), "inception4e": Cells(16, 14), "inception5b": Cells(32, 22)}


def stages(model: nn.Module) -> dict[str, nn.Module]:
    """The stages of a convolutional network, whose outputs are ``(N, channels, [D,] H, W)``, from fine to coarse;
    of a 3D transformer, what enters its last block. ConfigError where a network has none."""
    names = _names(model)
    if not names or (_has_tokens(model) and not hasattr(model, "stage_names")):
        raise ConfigError(
            f"{type(model).__name__} has no stages {', '.join(RESNET_STAGES)} or the like to look at; choose a ResNet"
        )
    return {name: model.get_submodule(name) for name in names}


def cells_of(model: nn.Module) -> dict[str, Cells]:
    """Strides and offsets of the stages where cells are displaced; those of others follow from the sizes, offset 0."""
    inner = model.network if isinstance(model, WithAuxiliary) else model
    prefix = "network." if isinstance(model, WithAuxiliary) else ""
    kind, names = type(inner).__name__, [name.removeprefix(prefix) for name in _names(model)]
    found: dict[str, Cells] = {}
    if kind == "InceptionV3":
        found = INCEPTION_CELLS
    elif kind == "GoogLeNet":
        found = GOOGLENET_CELLS
    elif kind == "DenseNet":
        found = DENSENET_CELLS
    elif kind in {"VGG", "VGG3D"}:
        found = {name: Cells(2**n, (2**n - 1) / 2) for n, name in enumerate(names)}
    elif kind == "ConvNet3D":
        found = {name: Cells(2 ** (n + 1), (2 ** (n + 1) - 1) / 2) for n, name in enumerate(names)}
    elif kind == "VisionTransformer3D":
        patch = int(inner.patch_embed.patch_size[0])  # type: ignore[index, union-attr]
        found = {names[0]: Cells(patch, (patch - 1) / 2)}
    return {prefix + name: cells for name, cells in found.items() if name in names}


def freeze(model: nn.Module, through: int) -> tuple[str, ...]:
    """Freeze everything up to the end of stage number `through` (1 = the stem and the first stage); the names of
    the frozen parameters.

    Frozen parameters get no gradient, and their normalisation keeps its statistics and their dropout is off,
    whatever `model.train()` is called with later. Auxiliary heads are never frozen. ConfigError for a stage that the
    network does not have.
    """
    if not through:
        return ()
    names = _names(model) if not _has_tokens(model) else [f"blocks.{n}" for n in range(len(model.blocks))]  # type: ignore[arg-type]
    if not names or through > len(names):
        raise ConfigError(f"freeze: {type(model).__name__} has {len(names)} stages, so {through} cannot be frozen")
    order = [path for path, _ in model.named_modules()]
    stage = names[through - 1]
    reached = {path for n, path in enumerate(order) if n <= order.index(stage) or path.startswith(f"{stage}.")}
    frozen = tuple(
        name
        for name, _ in model.named_parameters()
        if name.rpartition(".")[0] in reached and not any(part in AUXILIARY for part in name.split("."))
    )
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    _keep_in_eval(model)
    return frozen


def _keep_in_eval(module: nn.Module) -> None:
    parameters = [*module.parameters()]
    if parameters and not any(p.requires_grad for p in parameters):
        module.eval()
        module.train = partial(_stay, module)  # type: ignore[method-assign]
        return
    for child in module.children():
        _keep_in_eval(child)


def _stay(module: nn.Module, _mode: bool = True) -> nn.Module:
    """What `train` does to a frozen module: nothing."""
    return module


def _has_tokens(model: nn.Module) -> bool:
    return hasattr(model, "patch_embed") and hasattr(model, "blocks")


def _names(model: nn.Module) -> list[str]:
    """Paths of the stages; an empty list where none are known."""
    if isinstance(model, WithAuxiliary):
        return [f"network.{name}" for name in _names(model.network)]
    own = getattr(model, "stage_names", None)
    if own is not None:
        return [*own]
    for known in (RESNET_STAGES, GOOGLENET_STAGES):
        if found := [name for name in known if hasattr(model, name)]:
            return found
    if isinstance(model, DenseNet):
        return [*DENSE_BLOCKS]
    if isinstance(model, EfficientNet):
        return [f"_blocks.{n}" for n in _last_of_each_size(model)]
    described = getattr(model, "feature_info", None) or ()
    return [one["module"] for one in described if isinstance(one, dict) and one.get("module")]


def _last_of_each_size(model: EfficientNet) -> list[int]:
    """Indices of MONAI's stacks of blocks after which the grid is halved, and of the last."""
    strides = [max(block.stride for block in stack) for stack in model._blocks]
    return [n for n in range(len(strides)) if n + 1 == len(strides) or strides[n + 1] > 1]
