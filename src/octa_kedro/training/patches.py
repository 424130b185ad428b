"""En-face maps in pieces for a 2D network, and an eye's prediction from those of its pieces."""

import importlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from octa_kedro.config import first_problem
from octa_kedro.errors import ConfigError
from octa_kedro.io.volume import PlaneStack

CUTTING = "octa_kedro.preprocessing.patches"


class PatchCutter:
    """Cuts the slabs of one eye at the same places; ConfigError names a wrong key of `patches`."""

    def __init__(self, patches: Mapping[str, Any]) -> None:
        cutting = importlib.import_module(CUTTING)
        try:
            self.config = cutting.PatchConfig.model_validate(dict(patches))
        except ValidationError as error:
            raise ConfigError(f"patches.{first_problem(error, cutting.PatchConfig)}") from error
        self.split = cutting.split_patches
        self.per_eye = int(self.config.n) ** 2

    def __call__(self, stack: PlaneStack, slabs: tuple[str, ...]) -> tuple[PlaneStack, ...]:
        """One PlaneStack of `slabs` per patch, in the order in which they are cut.

        The affine is that of the whole map: a patch says what it shows, not where.
        """
        pieces = [np.asarray(self.split(np.asarray(stack.plane(name), np.float32), self.config)) for name in slabs]
        return tuple(
            PlaneStack(np.stack(planes, axis=2), stack.affine, slabs, stack.laterality, stack.source, stack.note)
            for planes in zip(*pieces, strict=True)
        )


def pool_patches(logits: torch.Tensor, per_eye: int) -> torch.Tensor:
    """Logits ``(eyes * per_eye, classes)`` of patches as ``(eyes, classes)``: the logarithm of the mean probability.

    Probabilities are averaged, as they are over folds: with logits one patch that is very sure would outvote
    all others. With one image per eye nothing is changed.
    """
    if per_eye == 1:
        return logits
    each = torch.log_softmax(logits, dim=1).reshape(-1, per_eye, logits.shape[1])
    return torch.logsumexp(each, dim=1) - math.log(per_eye)
