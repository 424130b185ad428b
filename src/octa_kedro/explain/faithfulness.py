"""Does the network use what a map marks? Deletion, insertion and ROAD of one eye in 3D, beside random rankings.

Cost in forward passes of one eye, for S steps, R random rankings and F fractions: deletion and insertion take
2 + (S - 1) R once and 2 (S - 1) for each map; ROAD takes 1 + 2 F R once and 2 F for each map. Images are scored
`Scorer.batch` at a time; nothing is differentiated.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.explain.imputation import impute
from octa_kedro.explain.ranking import Mask, Ranking, Removal, random_rankings, rank_blocks
from octa_kedro.explain.request import class_margin

Heats = Mapping[str, NDArray[np.floating]]
RANDOM = "random"
"""The method of a table's row on random rankings, which holds means over the draws."""
SWAP_COLUMNS = (
    "method", "deletion_auc", "insertion_auc", "deletion_gain", "insertion_gain", "score_image", "score_replacement"
)  # fmt: skip
ROAD_COLUMNS = ("method", "most_first", "least_first", "road", "road_gain", "score_image")


class Scorer:
    """What a network says of images: the explained class's margin over the mean of the other logits, or its
    probability. `passes` counts the images that were scored."""

    def __init__(
        self, model: nn.Module, target: int, *, kind: Literal["margin", "probability"] = "margin", batch: int = 4
    ) -> None:
        self.model, self.target, self.kind, self.batch = model, target, kind, batch
        self.passes = 0

    def __call__(self, images: Iterable[torch.Tensor]) -> NDArray[np.float64]:
        """One score for each image ``(1, C, D, H, W)``; no more than a batch of them is held at a time."""
        device = next(self.model.parameters()).device
        training = self.model.training
        self.model.eval()
        scores: list[float] = []
        try:
            with torch.no_grad():
                for batch in _batches(images, self.batch):
                    scores += self._score(self.model(torch.cat(batch).to(device))).tolist()
        finally:
            self.model.train(training)
        self.passes += len(scores)
        return np.asarray(scores)

    def _score(self, logits: torch.Tensor) -> torch.Tensor:
        classes = logits.shape[-1]
        if self.target >= classes or classes < 2:
            raise ConfigError(f"target class {self.target}: the network has {classes} classes, counted from 0")
        if self.kind == "probability":
            return logits.softmax(-1)[..., self.target]
        return class_margin(logits, self.target)


@dataclass(frozen=True)
class Curve:
    """Scores against the share of ranked voxels that was exchanged, from 0 to 1."""

    share: NDArray[np.float64]
    score: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """Area under the curve by the trapezoid rule: the mean score along the way."""
        return float(np.trapezoid(self.score, self.share))


def swap_curve(
    scorer: Scorer,
    start: torch.Tensor,
    end: torch.Tensor,
    ranking: Ranking,
    *,
    steps: int = 10,
    ends: tuple[float, float] | None = None,
) -> Curve:
    """Scores of `start` ``(1, C, D, H, W)`` while the highest ranked voxels are exchanged for those of `end`.

    From the eye to its replacement this is deletion, from the replacement to the eye insertion (Petsiuk et al. 2018,
    "RISE"). `ends` are the scores of start and end, which must differ in ranked voxels only; scored here if None.
    """
    if steps < 2:
        raise ConfigError(f"{steps} steps make no curve; take at least 2")
    cuts = [ranking.first(step / steps) for step in range(1, steps)]
    images = (torch.where(torch.from_numpy(chosen), end, start) for chosen, _ in cuts)
    inner = scorer(images)
    first, last = scorer([start, end]).tolist() if ends is None else ends
    return Curve(np.array([0.0, *(share for _, share in cuts), 1.0]), np.array([first, *inner, last]))


def judge_swaps(
    scorer: Scorer,
    image: torch.Tensor,
    replacement: torch.Tensor,
    heats: Heats,
    mask: Mask,
    *,
    steps: int = 10,
    removal: Removal | None = None,
) -> pd.DataFrame:
    """Deletion and insertion of one eye's maps ``(D, H, W)``, and of random rankings, as SWAP_COLUMNS.

    `image` and `replacement` are ``(1, C, D, H, W)``; voxels outside `mask` are never exchanged. Gains are by how much
    a map is better than random rankings, as a share of the difference between the scores of eye and
    replacement: they can be compared over eyes. They are NaN where the eye does not score higher than its replacement,
    as there is no evidence to find then. Deleting in a random order is inserting in the reverse one, so one curve a
    draw serves both.
    """
    removal = removal or Removal()
    end = torch.where(torch.from_numpy(mask), replacement, image)
    of_image, of_end = scorer([image, end]).tolist()
    chance = [
        swap_curve(scorer, image, end, ranking, steps=steps, ends=(of_image, of_end)).auc
        for ranking in random_rankings(mask, removal)
    ]
    base, span = float(np.mean(chance)), of_image - of_end
    span = span if span > 0 else float("nan")
    rows: list[tuple[Any, ...]] = [(RANDOM, base, base, 0.0, 0.0, of_image, of_end)]
    for method, heat in heats.items():
        ranking = rank_blocks(heat, mask, removal.block, seed=removal.seed)
        away = swap_curve(scorer, image, end, ranking, steps=steps, ends=(of_image, of_end)).auc
        back = swap_curve(scorer, end, image, ranking, steps=steps, ends=(of_end, of_image)).auc
        rows.append((method, away, back, (base - away) / span, (back - base) / span, of_image, of_end))
    return pd.DataFrame(rows, columns=list(SWAP_COLUMNS))


def judge_road(
    scorer: Scorer,
    image: torch.Tensor,
    heats: Heats,
    mask: Mask,
    *,
    shares: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
    removal: Removal | None = None,
    noise: float = 0.01,
) -> pd.DataFrame:
    """ROAD of one eye's maps ``(D, H, W)`` and of random rankings, as ROAD_COLUMNS; `image` is ``(1, C, D, H, W)``.

    `most_first` and `least_first` are mean scores after removing `shares` of the voxels in `mask`, those of most or of
    least evidence first, and filling them in (`imputation.impute`); `road` is half of least minus most: 0 for a random
    ranking, larger for a better map (pytorch-grad-cam's ROADCombined). `road_gain` is road minus that of the random
    rankings.
    """
    removal = removal or Removal()
    if not all(0 < share < 1 for share in shares):
        raise ConfigError(
            f"shares {tuple(shares)}: ROAD removes between none and all of the voxels; take 0 < share < 1"
        )

    def remove(ranking: Ranking) -> NDArray[np.float64]:
        """Mean scores with the highest and with the lowest ranked voxels removed."""
        orders = (ranking, ranking.reversed())
        images = (
            _without(image, order.first(share)[0], mask, noise, removal.seed) for order in orders for share in shares
        )
        return scorer(images).reshape(2, -1).mean(axis=1)

    of_image = float(scorer([image])[0])
    most, least = np.mean([remove(ranking) for ranking in random_rankings(mask, removal)], axis=0)
    base = (least - most) / 2
    rows: list[tuple[Any, ...]] = [(RANDOM, most, least, base, 0.0, of_image)]
    for method, heat in heats.items():
        most, least = remove(rank_blocks(heat, mask, removal.block, seed=removal.seed))
        rows.append((method, most, least, (least - most) / 2, (least - most) / 2 - base, of_image))
    return pd.DataFrame(rows, columns=list(ROAD_COLUMNS))


def _without(image: torch.Tensor, removed: Mask, mask: Mask, noise: float, seed: int) -> torch.Tensor:
    return torch.from_numpy(impute(image[0].numpy(), removed, mask, noise=noise, seed=seed))[None]


def _batches(images: Iterable[torch.Tensor], size: int) -> Iterator[list[torch.Tensor]]:
    batch: list[torch.Tensor] = []
    for image in images:
        batch.append(image)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
