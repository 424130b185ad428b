"""What is known of tiny eyes beside their image."""

import numpy as np
import torch

from octa_kedro.explain.anatomy import Anatomy, Donor
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.profile import EDGES
from octa_kedro.explain.request import MapRequest
from octa_kedro.io.volume import PlaneStack, Volume

DEPTHS = (2, 4, 8, 10)
"""The voxels that slabs begin at; that of `planted.BOX` is IPL-OPL."""
AFFINE = np.diag([0.01, 0.01, 0.01, 1.0])


def eye_of(image: torch.Tensor, source: str = "an eye") -> Volume:
    """An image ``(1, 1, D, H, W)`` as a volume with voxels of 0.01 mm."""
    return Volume(np.ascontiguousarray(image[0, 0].numpy().T), AFFINE, "OCTA", "OD", source)


def flat_layers(eye: Volume, depths: tuple[int, ...] = DEPTHS) -> PlaneStack:
    """Surfaces at these voxels, the same for all A-scans."""
    planes = 0.01 * np.array(depths, np.float32) * np.ones((*eye.array.shape[:2], 1), np.float32)
    return PlaneStack(planes, AFFINE, EDGES[: len(depths)], eye.laterality, eye.source)


def anatomy(image: torch.Tensor, *donors: torch.Tensor) -> Anatomy:
    """The anatomy of an image ``(1, 1, D, H, W)``, whose donors have their layers at the same depths."""
    eye = eye_of(image)
    healthy = [eye_of(donor, "a donor") for donor in donors]
    return Anatomy(eye, flat_layers(eye), tuple(Donor(one, flat_layers(one)) for one in healthy))


def asked(model: torch.nn.Module, image: torch.Tensor, *donors: torch.Tensor, **settings: object) -> MapRequest:
    """A request to `model` for an image ``(1, 1, D, H, W)`` with donors."""
    config = ExplainConfig.model_validate(settings)
    return MapRequest(model.eval(), config, (0.01,) * 3, anatomy=anatomy(image, *donors))
