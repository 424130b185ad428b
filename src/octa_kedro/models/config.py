"""What a network is, as parameters."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from octa_kedro.config import Config
from octa_kedro.models.names import NETWORKS_3D, RESNET_WIDTHS, canonical, is_network_2d, near_names


class ModelConfig(Config):
    """A network, by the same `name` in 2D and 3D: resnet18, vgg16, inception_v3, efficientnet_b0, vit_b16 ...

    2D: any timm network, and googlenet. 3D: those of `names.NETWORKS_3D`; or, with `convolution` "inflated" or
    "acs", a timm network whose layers can be made 3D (`convert.py`).

    The rest is for 3D, unless said otherwise. `widths` are the channels of the stages of a ResNet, a VGG or a
    small network; `width` multiplies the channels of any. `norm` is the normalisation after each convolution
    (batch statistics of a few volumes are noisy; group and instance norm do not use any); transformers keep
    their layer norm. MONAI gives a ResNet's stages batch norm whatever is asked of it, so that in a ResNet
    `norm` is the stem's alone, as in all earlier checkpoints, unless `norm_stages` is true. `stem_stride` is that of
    a ResNet's first convolution along (z, y, x); the original's was (1, 2, 2), which costs several times as much.
    `dropout` (2D too) is the share of features dropped before the last linear layer. `auxiliary` (2D too) adds the
    auxiliary heads of inception_v3 and googlenet: in training the output is then a `heads.TrainingOutput`.
    """

    name: str = "resnet18"
    spatial_dims: Literal[2, 3] = 3
    in_channels: PositiveInt = 1
    classes: int = Field(2, ge=2)
    widths: tuple[PositiveInt, ...] | None = None
    width: PositiveFloat = 1.0
    norm: Literal["batch", "instance", "group"] = "batch"
    norm_stages: bool = False
    stem_stride: tuple[PositiveInt, PositiveInt, PositiveInt] = (2, 2, 2)
    dropout: float = Field(0.0, ge=0, lt=1)
    convolution: Literal["native", "inflated", "acs"] = "native"
    auxiliary: bool = False

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        return name.strip().lower()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_network(cls, data: Any) -> Any:
        """Stage widths of the network that is named, and the instance norm of the original's narrow VGG."""
        if (
            not isinstance(data, dict)
            or data.get("spatial_dims", 3) != 3
            or data.get("convolution", "native") != "native"
        ):
            return data
        name = canonical(str(data.get("name", "resnet18")), 3)
        net_3d = NETWORKS_3D.get(name)
        if net_3d is None or net_3d.widths is None:
            return data
        factor = data.get("width", 1.0)
        scale = factor if isinstance(factor, float | int) and factor > 0 else 1.0
        given = data.get("widths")
        widths = given if given is not None else tuple(max(1, round(w * scale)) for w in net_3d.widths)
        return data | {"widths": widths} | ({} if "norm" in data or name != "vgg16_narrow" else {"norm": "instance"})

    @model_validator(mode="after")
    def _possible(self) -> "ModelConfig":
        name = self.canonical_name
        if self.spatial_dims == 3 and self.convolution == "native" and name not in NETWORKS_3D:
            raise ValueError(f"name: no 3D network {self.name!r}; near it: {near_names(self.name, 3)}")
        if (self.spatial_dims == 2 or self.convolution != "native") and not is_network_2d(name):
            raise ValueError(f"name: timm has no network {self.name!r}; near it: {near_names(self.name, 2)}")
        if self.spatial_dims == 2 and self.convolution != "native":
            raise ValueError("convolution: inflated and acs make a 2D network 3D; set spatial_dims to 3")
        if self.auxiliary and name not in {"inception_v3", "googlenet"}:
            raise ValueError(f"auxiliary: only inception_v3 and googlenet have auxiliary heads, not {self.name}")
        if self.auxiliary and self.convolution != "native":
            raise ValueError("auxiliary: needs convolution: native")
        if self.stem_stride != (2, 2, 2) and self.family != "resnet":
            raise ValueError(f"stem_stride: only 3D ResNets have this parameter, not {self.name}")
        self._check_widths(name)
        return self

    def _check_widths(self, name: str) -> None:
        """Widths that a network cannot have are refused; in 2D the old default, which was never used, is not."""
        if self.spatial_dims == 2 or self.convolution != "native":
            if self.width != 1 or self.widths not in (None, RESNET_WIDTHS):
                raise ValueError(f"width: the widths of timm's {self.name} are fixed; choose another network")
            return
        standard = NETWORKS_3D[name].widths
        if standard is None and self.widths is not None:
            raise ValueError(f"widths: {self.name} has no list of stage widths; give a factor, width: 0.5")
        if standard is not None and self.widths is not None and len(self.widths) != len(standard):
            raise ValueError(f"widths: {self.name} has {len(standard)} stages, but {len(self.widths)} widths are given")

    @property
    def canonical_name(self) -> str:
        """The network's one spelling, see `names.canonical`."""
        return canonical(self.name, 3 if self.spatial_dims == 3 and self.convolution == "native" else 2)

    @property
    def family(self) -> str:
        """Of a 3D network: resnet, vgg, inception, ...; "timm" for what comes from timm."""
        native = self.spatial_dims == 3 and self.convolution == "native"
        return NETWORKS_3D[self.canonical_name].family if native else "timm"
