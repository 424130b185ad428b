"""Parameters of what a network starts from."""

from typing import Literal

from pydantic import Field, model_validator

from octa_kedro.config import Config


class StartConfig(Config):
    """`weights`: random; timm, those of the 2D network of that name, inflated where the network is 3D (in an ACS
    network as they are); medicalnet, for 3D ResNets; or pretraining, the encoder of this project's autoencoder, for
    3D ResNets. `weights_file` is a local file (safetensors, or a torch file of plain tensors): for timm in place of a
    download, for medicalnet always. `frozen_stages` keeps the stem and that many stages as they start.
    """

    weights: Literal["random", "timm", "medicalnet", "pretraining"] = "random"
    weights_file: str | None = None
    frozen_stages: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> "StartConfig":
        if self.weights == "medicalnet" and self.weights_file is None:
            raise ValueError("weights_file: name the MedicalNet file, such as resnet_18_23dataset.pth")
        if self.weights in {"random", "pretraining"} and self.weights_file is not None:
            raise ValueError(f"weights is {self.weights}, which reads no weights_file; choose timm or medicalnet")
        return self
