"""Published weights of timm, torchvision and MedicalNet loaded into this project's networks; each tensor must fit."""

from dataclasses import dataclass, field

import torch
import torchvision  # type: ignore[import-untyped]
from timm import create_model
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.messages.words import first_words
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.convert import ACSConv3d, inflate_kernel
from octa_kedro.models.files import read_weights
from octa_kedro.models.heads import WithAuxiliary
from octa_kedro.models.names import NETWORKS_3D, TORCHVISION
from octa_kedro.models.vit import resize_positions

# First component of the path of what follows the last features, in timm, torchvision, MONAI and here.
HEADS = ("fc", "_fc", "head", "classifier", "class_layers", "pre_logits", "hidden")
COUNTER = "num_batches_tracked"
PUBLISHED_CLASSES = 1000
COLOURS = 3
CONVS = (nn.Conv2d, nn.Conv3d, ACSConv3d)
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Started:
    """What a network started from: `loaded` parameters and statistics by name; `left` at random (or at zero) and
    why; `unused` entries of the source and why; `frozen` parameters."""

    source: str
    loaded: tuple[str, ...] = ()
    left: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()

    def summary(self) -> str:
        """One line for the log."""
        left = "; ".join(f"{name}: {why}" for name, why in self.left.items()) or "nothing"
        return (
            f"weights from {self.source}: {len(self.loaded)} loaded, {len(self.frozen)} frozen, "
            f"{len(self.unused)} in the source not used, left as built: {left}"
        )


def load_timm(model: nn.Module, config: ModelConfig, weights_file: str | None = None) -> Started:
    """timm's pretrained weights of the same layers into `model`, 2D or 3D.

    The first convolution is summed over colour for one channel; for several (slabs) each gets an equal share
    of that sum, but three are taken as red, green and blue. A head of another number of classes is left at random.
    """
    name = name_2d(config)
    net_2d = _published(name, config.auxiliary, weights_file)
    inner = model.network if isinstance(model, WithAuxiliary) else model
    pairs = _by_name(net_2d) if config.family in {"timm", "vit"} else _by_order(net_2d, inner, name)
    target, source = inner.state_dict(), net_2d.state_dict()
    new, left, unused = {}, {}, {}
    for own, theirs in pairs.items():
        if theirs is None:
            new[own] = torch.zeros_like(target[own])
            left[own] = "zero, timm's layer has no such parameter"
        elif own in target and not _is_head(own):
            new[own] = _fitted(source[theirs], target[own], own, net_2d, inner)
        elif own in target and target[own].shape == source[theirs].shape:
            new[own] = source[theirs]
        elif own in target:
            left[own] = f"a head for {len(target[own])} classes, timm's is for {len(source[theirs])}"
        else:
            unused[theirs] = "the network keeps no such statistic"
    unused |= {key: "timm's head has other layers" for key in source.keys() - {*pairs.values()} if key not in unused}
    left |= {key: "a head of other layers than timm's" for key in target.keys() - {*pairs} if _is_head(key)}
    _require_complete(target, {*new, *left}, name)
    inner.load_state_dict(new, strict=False)
    return Started(weights_file or f"timm {name}", tuple(k for k in new if k not in left), left, unused)


def load_medicalnet(model: nn.Module, weights_file: str) -> Started:
    """A MedicalNet file (Chen et al. 2019) into a 3D ResNet: everything but the head.

    MedicalNet's ResNet-18 and 34 have shortcuts without weights, and its others have no bias there: ours are
    left at random and at zero.
    """
    published = {k: v for k, v in read_weights(weights_file).items() if not k.endswith(COUNTER)}
    target = model.state_dict()
    new, left = {}, {}
    unused = {k: "a head of MedicalNet's own" for k in published if k.startswith(("fc.", "conv_seg."))}
    no_shortcuts = not any(".downsample." in key for key in published)
    for key, own in target.items():
        if key.endswith(COUNTER):
            continue
        if _is_head(key):
            left[key] = "the head is this task's own"
        elif key in published:
            value = _channels(published[key], own.shape[1], rgb=False) if key == "conv1.weight" else published[key]
            if value.shape != own.shape:
                shapes = f"{tuple(value.shape)} in the file, {tuple(own.shape)} in the network"
                raise CheckpointError(f"{weights_file}: {key} does not fit: {shapes}; widths must be MedicalNet's")
            new[key] = value
        elif ".downsample." in key and no_shortcuts:
            left[key] = "MedicalNet's shortcuts have no weights"
        elif key.endswith("downsample.0.bias"):
            new[key], left[key] = torch.zeros_like(own), "zero, MedicalNet's layer has no bias"
        else:
            raise CheckpointError(f"{weights_file}: has no {key}; it is not MedicalNet's file for this network")
    if strange := sorted(published.keys() - target.keys() - unused.keys()):
        raise CheckpointError(f"{weights_file}: {strange[0]} is in no such network; it is the file of another one")
    model.load_state_dict(new, strict=False)
    return Started(weights_file, tuple(key for key in new if key not in left), left, unused)


def name_2d(config: ModelConfig) -> str:
    """The 2D network whose weights fit `config`'s; ConfigError where there is none."""
    if config.family == "timm":
        return config.canonical_name
    name = NETWORKS_3D[config.canonical_name].timm
    if name is None or config.width != 1 or config.widths not in (None, NETWORKS_3D[config.canonical_name].widths):
        raise ConfigError(
            f"start.weights: timm has none of the layers of {config.name} (width {config.width:g}); choose "
            f"{', '.join(n for n, s in NETWORKS_3D.items() if s.timm)} at full width, or start.weights: random"
        )
    return name


def layers_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Convolutions, norms and linear layers with parameters, in order, with their paths."""
    return [
        (p, m) for p, m in model.named_modules() if isinstance(m, (*CONVS, *NORMS, nn.Linear)) and [*m.parameters()]
    ]


def _published(name: str, auxiliary: bool, weights_file: str | None) -> nn.Module:
    """timm's (or torchvision's) own network with its published weights, from a file or by download."""
    options = {"aux_logits": auxiliary} if name.startswith("inception_v3") else {}
    overlay = None
    try:
        if name in TORCHVISION:
            return _torchvision(auxiliary, weights_file)
        if weights_file is not None:
            overlay = {"state_dict": read_weights(weights_file)}
        net_2d = create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except (RuntimeError, KeyError, OSError, ValueError) as error:
        source = weights_file or f"timm {name}"
        remedy = "" if weights_file else "; where nothing can be downloaded, give weights_file"
        raise CheckpointError(f"{source}: no weights for {name} ({first_words(error)}){remedy}") from error
    if overlay is not None and name.startswith("inception_v3"):  # for which timm does not insist on all weights
        missing = sorted(
            k for k in net_2d.state_dict().keys() - overlay["state_dict"].keys() if not k.endswith(COUNTER)
        )
        if missing:
            raise CheckpointError(f"{weights_file}: no weights for {name} (it has no {missing[0]})")
    return net_2d


def _torchvision(auxiliary: bool, weights_file: str | None) -> nn.Module:
    if weights_file is None:
        raise ConfigError("start.weights: googlenet's are torchvision's; download them and give start.weights_file")
    net_2d = torchvision.models.googlenet(
        weights=None, num_classes=PUBLISHED_CLASSES, aux_logits=auxiliary, init_weights=False
    )
    weights = read_weights(weights_file)
    net_2d.load_state_dict({k: v for k, v in weights.items() if auxiliary or not k.startswith(("aux1.", "aux2."))})
    return net_2d


def _by_name(net_2d: nn.Module) -> dict[str, str | None]:
    return {key: key for key in net_2d.state_dict()}


def _by_order(net_2d: nn.Module, net_3d: nn.Module, name: str) -> dict[str, str | None]:
    """Own names to timm's, layer by layer; CheckpointError where the two networks are not the same."""
    own = [(path, layer) for path, layer in layers_of(net_3d) if not _is_head(path)]
    theirs = [(path, layer) for path, layer in layers_of(net_2d) if not _is_head(path)]
    if len(own) != len(theirs):
        raise CheckpointError(f"timm's {name} has {len(theirs)} layers before its head, the network {len(own)}")
    heads = [[(p, m) for p, m in layers_of(net) if _is_head(p)][-1] for net in (net_3d, net_2d)]
    pairs: dict[str, str | None] = {}
    for (path, layer), (other, layer_2d) in [*zip(own, theirs, strict=True), (heads[0], heads[1])]:
        known = {key for key, _ in [*layer_2d.named_parameters(), *layer_2d.named_buffers()]}
        wanted = {key for key, _ in [*layer.named_parameters(), *layer.named_buffers()]}
        if isinstance(layer, nn.Linear) and _is_head(path) and layer.in_features != layer_2d.in_features:
            continue
        for key in sorted(known | wanted):
            pairs[f"{path}.{key}"] = f"{other}.{key}" if key in known else None
    return pairs


def _is_head(path: str) -> bool:
    """Whether a layer or parameter belongs to a head, the last linear layer of an auxiliary one included."""
    parts = path.split(".")
    return (
        parts[0] in HEADS
        or (parts[0] == "AuxLogits" and parts[1] == "fc")
        or (parts[0] in {"aux1", "aux2"} and parts[1] == "fc2")
    )


def _fitted(value: torch.Tensor, own: torch.Tensor, name: str, net_2d: nn.Module, net_3d: nn.Module) -> torch.Tensor:
    """`value` in the shape of `own`: channels of the image adapted, kernels inflated, positions resized."""
    if name == "pos_embed" and value.shape != own.shape:
        depth, *plane = net_3d.get_submodule("patch_embed").grid_size  # type: ignore[misc]
        positions = resize_positions(value, net_2d.get_submodule("patch_embed").grid_size, tuple(plane))  # type: ignore[arg-type]
        return torch.cat([positions[:, :1], positions[:, 1:].repeat(1, depth, 1)], 1)
    if own.ndim == value.ndim + 1:
        value = inflate_kernel(value, own.shape[2])
    if value.ndim > 3 and value.shape[1] == COLOURS:
        value = _channels(value, own.shape[1])
    if value.shape != own.shape:
        raise CheckpointError(f"{name} does not fit: timm's is {tuple(value.shape)}, the network's {tuple(own.shape)}")
    return value


def _channels(kernel: torch.Tensor, channels: int, *, rgb: bool = True) -> torch.Tensor:
    """A first kernel ``(out, colours, ...)`` for images of `channels`: the sum over colour, shared equally."""
    if kernel.shape[1] == channels or not (rgb or kernel.shape[1] == 1):
        return kernel
    return (kernel.sum(1, keepdim=True) / channels).repeat_interleave(channels, 1)


def _require_complete(target: dict[str, torch.Tensor], named: set[str], name: str) -> None:
    missing = sorted(key for key in target if key not in named and not key.endswith(COUNTER))
    if missing:
        raise CheckpointError(f"timm's {name} has nothing for {missing[0]} of the network")
