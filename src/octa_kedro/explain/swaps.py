"""Evidence from blocks of an eye that are exchanged with those of a healthy one."""

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.occlusion import blocks_of, gains, shared_evenly
from octa_kedro.explain.request import MapRequest


def donor_swap(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Signed evidence ``(D, H, W)`` of one image ``(1, C, D, H, W)``, block by block: the mean of what the margin loses
    with the donor's block in the eye (deletion), and what it gains with the eye's block in the donor (insertion).

    The donor is the first one, warped so that its layers lie on the eye's. It costs two forward passes for each block
    of tissue; blocks are those of `occlusion.occlusion`, and share their evidence evenly.
    """
    donor, *_ = request.donors(image)
    inside = request.tissue(image)
    blocks = blocks_of(request, inside)
    deleted, inserted = gains(request, donor, image, blocks), -gains(request, image, donor, blocks)
    return shared_evenly((deleted + inserted) / 2, blocks, inside)
