"""Which networks there are: one name for the same network in two and three dimensions."""

from dataclasses import dataclass
from difflib import get_close_matches

from octa_kedro.models.timm_names import timm_networks

# The same word in 2D and 3D; the left side is what the project says, the right side what timm says.
TIMM_NAMES = {
    "resnet10": "resnet10t",  # timm's ResNet-10 has a tiered stem
    "vgg16": "vgg16_bn",
    "vgg19": "vgg19_bn",
    "vit_b16": "vit_base_patch16_224",
    "vit_b32": "vit_base_patch32_224",
    "vit_s16": "vit_small_patch16_224",
    "vit_base_patch16": "vit_base_patch16_224",
    "vit_base_patch32": "vit_base_patch32_224",
    "vit_small_patch16": "vit_small_patch16_224",
}
ALIASES_3D = {
    "vgg16_bn": "vgg16",
    "vgg19_bn": "vgg19",
    "vit_base_patch16": "vit_b16",
    "vit_base_patch32": "vit_b32",
    "vit_small_patch16": "vit_s16",
    "vit_base_patch16_224": "vit_b16",
    "vit_base_patch32_224": "vit_b32",
    "vit_small_patch16_224": "vit_s16",
}
TORCHVISION = ("googlenet",)  # 2D networks that timm lacks


@dataclass(frozen=True)
class Network3D:
    """A 3D network: its `family`, the `smallest` input in voxels an axis, its stages' default channels
    (None where they are not chosen by `widths`), and the timm network of the same layer plan, if any."""

    family: str
    smallest: int
    widths: tuple[int, ...] | None = None
    timm: str | None = None


RESNET_WIDTHS = (64, 128, 256, 512)
VGG_WIDTHS = (64, 128, 256, 512, 512)
NETWORKS_3D = {
    "resnet10": Network3D("resnet", 1, RESNET_WIDTHS),
    "resnet18": Network3D("resnet", 1, RESNET_WIDTHS, "resnet18"),
    "resnet34": Network3D("resnet", 1, RESNET_WIDTHS, "resnet34"),
    "resnet50": Network3D("resnet", 1, RESNET_WIDTHS, "resnet50"),
    "vgg16": Network3D("vgg", 32, VGG_WIDTHS, "vgg16_bn"),
    "vgg19": Network3D("vgg", 32, VGG_WIDTHS, "vgg19_bn"),
    "vgg16_narrow": Network3D("vgg", 32, (2, 4, 8, 16, 32)),
    "inception_v3": Network3D("inception", 75, None, "inception_v3"),
    **{f"efficientnet_b{n}": Network3D("efficientnet", 1, None, f"efficientnet_b{n}") for n in range(5)},
    "densenet121": Network3D("densenet", 29, None, "densenet121"),
    "vit_b16": Network3D("vit", 1, None, "vit_base_patch16_224"),
    "vit_b32": Network3D("vit", 1, None, "vit_base_patch32_224"),
    "vit_s16": Network3D("vit", 1, None, "vit_small_patch16_224"),
    "cv3fc2": Network3D("small", 8, (8, 16, 32)),
    "cv5fc2": Network3D("small", 32, (8, 16, 32, 64, 128)),
}


def canonical(name: str, spatial_dims: int) -> str:
    """The one spelling of a network's name: a key of `NETWORKS_3D` in 3D, timm's or torchvision's in 2D."""
    name = name.strip().lower()
    if name.startswith("efficientnet-"):
        name = name.replace("-", "_")
    return TIMM_NAMES.get(name, name) if spatial_dims == 2 else ALIASES_3D.get(name, name)


def is_network_2d(name: str) -> bool:
    """Whether there is a 2D network of that canonical name."""
    return name in TORCHVISION or name.split(".", maxsplit=1)[0] in timm_networks()


def near_names(name: str, spatial_dims: int) -> str:
    """The names nearest to a misspelt one, for the error that refuses it; all of them in 3D if none is near."""
    known = list(NETWORKS_3D) if spatial_dims == 3 else [*TIMM_NAMES, *TORCHVISION, *sorted(timm_networks())]
    near = get_close_matches(name, known, n=5, cutoff=0.6)
    if not near and spatial_dims == 2:
        near = [known for known in sorted(timm_networks()) if name[:6] in known][:5]
    return ", ".join(near or (NETWORKS_3D if spatial_dims == 3 else ["none"]))
