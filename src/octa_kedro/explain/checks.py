"""What are maps worth? One eye's map checked: does the network use what it marks, does it depend on what was learnt?

Cost of one eye beside its maps by several networks, with the default `Effort`: 2 maps by networks of random weights, 17
forward passes for each of two replacements, 7 passes and 6 imputations for ROAD.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.errors import CheckpointError, DataError
from octa_kedro.explain.anatomy import Anatomy, Donor
from octa_kedro.explain.controls import Eye
from octa_kedro.explain.donors import donor_replacement
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.faithfulness import ROAD_COLUMNS, SWAP_COLUMNS, Heats, Scorer, judge_road, judge_swaps
from octa_kedro.explain.gradients import blurred
from octa_kedro.explain.ranking import Mask, Removal
from octa_kedro.explain.sanity import Method
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.axes import to_stored_axes, to_tensor

BLUR, DONOR, ROAD = "blur", "healthy donor", "ROAD"
"""The tests of faithfulness, by what takes the tissue's place."""
RETINA = "ILM_BM"
FAITHFULNESS_COLUMNS = tuple(dict.fromkeys(("test", *SWAP_COLUMNS, *ROAD_COLUMNS)))


@dataclass(frozen=True)
class Effort:
    """How finely maps are checked.

    Weights are randomised in `levels` stages. Deletion and insertion go in `steps`, ROAD removes `shares` of the
    retina; both are compared with the random rankings of `removal`.
    """

    levels: int = 2
    steps: int = 4
    shares: tuple[float, ...] = (0.2,)
    removal: Removal = field(default_factory=lambda: Removal(draws=1))


@dataclass(frozen=True)
class CheckedEye:
    """An eye as the network sees it: `image` ``(1, 1, D, H, W)``, the `mask` ``(D, H, W)`` of its retina (of all tissue
    where no surfaces are known), and images whose tissue is replaced, by BLUR or DONOR. The class with index `target`
    is explained; `anatomy` is what the method of its maps needs to know of the eye."""

    subject: str
    volume: Volume
    target: int
    anatomy: Anatomy
    image: torch.Tensor
    mask: Mask
    replacements: Mapping[str, torch.Tensor]


def prepare_eye(
    subject: str,
    anatomy: Anatomy,
    surfaces: PlaneStack | None,
    explainer: Explainer,
    donor: Donor | None = None,
    *,
    target: int,
) -> CheckedEye:
    """An eye ready to be checked. The tissue of `donor`, which should be none of those that its maps compare with,
    takes the place of its own; without one or without usable `surfaces` that test is left out."""
    volume = anatomy.eye
    request, image = explainer.request(volume, target, anatomy), to_tensor(volume)[None]
    mask = to_stored_axes(Eye(subject, volume, surfaces).retina(), None, ())[0] & request.tissue(image)
    replacements = {BLUR: blurred(request, image)}
    slab = explainer.checkpoint.card.processing.mask_slab or RETINA
    if surfaces is not None and donor is not None:
        with contextlib.suppress(DataError):  # a surface with gaps
            swapped = donor_replacement(volume, surfaces, *donor, mask_slab=slab)
            replacements[DONOR] = to_tensor(volume.with_array(swapped))[None]
    return CheckedEye(subject, volume, target, anatomy, image, mask, replacements)


def judge_faithfulness(model: nn.Module, eye: CheckedEye, heats: Heats, effort: Effort) -> pd.DataFrame:
    """Deletion and insertion by every replacement, and ROAD, of maps ``(D, H, W)`` and of random rankings:
    FAITHFULNESS_COLUMNS, NaN where a test has no such figure."""
    scorer, removal = Scorer(model, eye.target), effort.removal
    tables = [
        judge_swaps(scorer, eye.image, other, heats, eye.mask, steps=effort.steps, removal=removal).assign(test=name)
        for name, other in eye.replacements.items()
    ]
    road = judge_road(scorer, eye.image, heats, eye.mask, shares=effort.shares, removal=removal)
    return pd.concat([*tables, road.assign(test=ROAD)], ignore_index=True)[list(FAITHFULNESS_COLUMNS)]


def map_of_network(explainer: Explainer, eye: CheckedEye) -> Method:
    """The map ``(D, H, W)`` of one eye as a function of the network, for `sanity.randomisation_curve`: layers and all
    else are taken from that network. Of a network whose gradients are all 0 it is 0 everywhere."""

    def explain(network: nn.Module, _image: torch.Tensor) -> NDArray[np.float32]:
        try:
            return heat_of(explainer.with_network(network), eye)
        except CheckpointError:
            return np.zeros(eye.mask.shape, np.float32)

    return explain


def heat_of(explainer: Explainer, eye: CheckedEye) -> NDArray[np.float32]:
    """One network's map of an eye as ``(D, H, W)``."""
    return to_tensor(explainer.explain(eye.volume, eye.target, eye.anatomy))[0].numpy()
