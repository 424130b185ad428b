"""Evidence slab by slab: what the network decides when slabs of the eye are exchanged for those of healthy eyes.

Players are the slabs between and below the surfaces (PLAYERS). A slab that is absent is the donor's, warped so that
its layers lie on the eye's (`donors.donor_replacement`), and values are the mean over DONORS of them. A healthy eye is
the choice rather than the eye blurred in plane: a network takes a blurred choroid for a diseased one, and on normal
eyes the values of the blurred eye sum to -2 logit, those of healthy eyes to about 0. What lies above the ILM, and
A-scans without surfaces, are the eye's throughout.
"""

import itertools
import math
from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.profile import SLAB_NAMES
from octa_kedro.explain.request import MapRequest
from octa_kedro.explain.slab_decision import PLAYERS

BATCH, DONORS = 8, 2
"""Images that are seen at once; healthy eyes that are put in, of those that fit: each costs 16 passes."""
_LABELS = tuple(SLAB_NAMES.index(name) for name in PLAYERS)


def slab_occlusion(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Signed evidence ``(D, H, W)`` of one image ``(1, 1, D, H, W)``: what its margin loses with a slab exchanged for a
    healthy eye's, shared evenly by the slab's voxels of tissue."""
    without_one = [frozenset(_LABELS) - {label} for label in _LABELS]
    whole, *left = _margins(request, image, [frozenset(_LABELS), *without_one])
    return _shared(request, image, whole - np.asarray(left))


def slab_shapley(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Signed evidence ``(D, H, W)`` of one image: `slab_values`, each shared evenly by its slab's voxels of tissue."""
    return _shared(request, image, slab_values(request, image))


def slab_values(request: MapRequest, image: torch.Tensor) -> NDArray[np.float64]:
    """The Shapley value (Shapley 1953) of each of PLAYERS in logit, of one image ``(1, 1, D, H, W)``, exactly.

    It is the mean of what the margin gains with the slab over all orders in which slabs can be put in. Their sum is the
    margin of the eye minus the mean margin of the healthy eyes. Cost: 16 forward passes for each donor.
    """
    coalitions = [
        frozenset(chosen) for size in range(len(_LABELS) + 1) for chosen in itertools.combinations(_LABELS, size)
    ]
    worth = dict(zip(coalitions, _margins(request, image, coalitions), strict=True))
    n = len(_LABELS)
    values = [
        sum(
            math.factorial(len(others)) * math.factorial(n - len(others) - 1) / math.factorial(n)
            * (worth[others | {label}] - worth[others])
            for others in coalitions if label not in others
        )
        for label in _LABELS
    ]  # fmt: skip
    return np.asarray(values)


def _margins(request: MapRequest, image: torch.Tensor, coalitions: Collection[frozenset[int]]) -> NDArray[np.float64]:
    """The margin with the eye's slabs of each coalition in the healthy eye, as the mean over the donors."""
    labels = request.slabs().to(image.device)
    always = ~torch.isin(labels, torch.tensor(_LABELS, device=image.device))
    kept = [always | torch.isin(labels, torch.tensor([*some], device=image.device)) for some in coalitions]
    sums = np.zeros(len(kept))
    donors = request.donors(image)[:DONORS]
    with torch.no_grad():
        for donor in donors:
            for first in range(0, len(kept), BATCH):
                batch = torch.cat([torch.where(one, image, donor) for one in kept[first : first + BATCH]])
                sums[first : first + BATCH] += request.margin(batch).double().cpu().numpy()
    return sums / len(donors)


def _shared(request: MapRequest, image: torch.Tensor, values: NDArray[np.float64]) -> NDArray[np.float32]:
    labels, inside = request.slabs().numpy(), request.tissue(image)
    evidence = np.zeros(labels.shape, np.float32)
    for label, value in zip(_LABELS, values, strict=True):
        slab = (labels == label) & inside
        evidence[slab] = value / max(int(slab.sum()), 1)
    return evidence
