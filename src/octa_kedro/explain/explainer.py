"""Maps from one checkpoint, and the mean of several."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.cohort.trainings import training_words
from octa_kedro.errors import CheckpointError, DataError
from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import Layer, choose_layers, coarse_note, measure_layers
from octa_kedro.explain.methods import METHODS, Method
from octa_kedro.explain.needs import require_known
from octa_kedro.explain.request import MapRequest
from octa_kedro.explain.slab_methods import slab_values
from octa_kedro.explain.target import PREDICTED, class_index
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.models.axes import from_tensor, to_tensor
from octa_kedro.preprocessing.patches import join_patches
from octa_kedro.training.checkpoint import Checkpoint, restore_model
from octa_kedro.training.data.patches import cut_patches
from octa_kedro.training.engine.devices import pick_device
from octa_kedro.training.engine.seeding import derive_seed

log = logging.getLogger(__name__)


class Explainer:
    """Maps from one checkpoint; the network is restored once, on first use.

    A method of 3D maps that is still AUTO is the one that needs nothing but the eye (`ExplainConfig.settled`)."""

    def __init__(self, checkpoint: Checkpoint, config: ExplainConfig) -> None:
        self.checkpoint, self.config = checkpoint, config.settled(donors=False)
        self._model: nn.Module | None = None
        self._layers: dict[tuple[tuple[int, ...], tuple[float, ...]], tuple[list[Layer], str]] = {}

    @property
    def model(self) -> nn.Module:
        """The restored classifier on the configured device; its weights are asked for no gradient."""
        if self._model is None:
            self._model = restore_model(self.checkpoint).to(pick_device(self.config.device)).requires_grad_(False)
        return self._model

    def with_network(self, model: nn.Module) -> "Explainer":
        """The same maps of another network of the same architecture, such as one with other weights."""
        other = Explainer(self.checkpoint, self.config)
        other._model = model
        return other

    @property
    def target(self) -> int | None:
        """The index of the class that is explained; None where it is the one that each eye is predicted to be.

        ConfigError for a class that the network does not have."""
        return class_index(self.config.target_class, self.checkpoint.card.classes)

    def request(
        self, image: Volume | PlaneStack, target: int | None = None, anatomy: Anatomy | None = None
    ) -> MapRequest:
        """What is asked of the network for inputs like `image`; sizes are those of what the network sees.

        `target` is the index of the class, None that of the configuration; `anatomy` is what methods that need it know
        of the eye. Layers are measured once for each shape and spacing. ConfigError for a class that the network does
        not have."""
        target = self.target if target is None else target
        _, spacing = self._size(image)
        card = self.checkpoint.card
        masked = card.processing.mask_slab is not None
        layers = self._chosen(image)[0]
        draw = card.fold if card.seed == 1 else derive_seed(card.fold, "seed", card.seed)  # every network has its own
        return MapRequest(self.model, self.config, spacing, layers, masked, target, anatomy, draw)

    def _size(self, image: Volume | PlaneStack) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Shape ``(C, [D,] H, W)`` and voxel size in millimetres ``([D,] H, W)`` of what the network sees."""
        seen = self._seen(image)[0]
        shape = tuple(to_tensor(seen, self.checkpoint.card.slabs).shape)
        x, y, z = (float(mm) for mm in np.linalg.norm(seen.grid_affine[:3, :3], axis=0))
        spacing = (z, y, x) if isinstance(seen, Volume) else (y, x)
        return shape, spacing

    def _chosen(self, image: Volume | PlaneStack) -> tuple[list[Layer], str]:
        """The layers that the method looks at, and what to know of coarse ones."""
        if not self._method(image).layers:
            return [], ""
        size = self._size(image)
        if size not in self._layers:
            measured = measure_layers(self.model, *size)
            chosen = choose_layers(measured, self.config)
            self._layers[size] = chosen, coarse_note(chosen, measured)
        return self._layers[size]

    def describe(self, image: Volume | PlaneStack) -> dict[str, Any]:
        """How maps of inputs like `image` are made.

        Method, the parameters it looks at, its title, layers, stride (input voxels) and cell size (millimetres, depth
        first in 3D) of the finest detail, the slabs that a 2D network sees, the network's classes and the index of the
        explained one (or PREDICTED), and a note of what speaks against such maps, or nothing.
        """
        request, method = self.request(image), self._method(image)
        warning = f"{method.title} {method.warning}" if method.warning else ""
        coarse = () if method.smoothed else request.layers  # what is smoothed has voxels, whatever layer it looks at
        finest = min(coarse, key=lambda layer: layer.cell_mm, default=None)
        cell = finest.cell_mm if finest else request.spacing_mm
        return {
            "method": self._method_name(image),
            "parameters": method.parameters,
            "title": method.title,
            "layer": " + ".join(layer.name for layer in request.layers) or "input",
            "stride": list(finest.stride) if finest else [1] * len(cell),
            "cell_mm": [round(mm, 4) for mm in cell],
            "slabs": list(self.checkpoint.card.slabs),
            "classes": list(self.checkpoint.card.classes),
            "target_class": PREDICTED if request.target is None else request.target,
            "note": "; ".join(filter(None, (warning, self._chosen(image)[1]))),
        }

    def explain(
        self, image: Volume | PlaneStack, target: int | None = None, anatomy: Anatomy | None = None
    ) -> Volume | PlaneStack:
        """The raw map of one eye on its image's grid and affine; of one seen in patches, their maps put together.

        `target` is the index of the explained class, None that of the configuration. ConfigError if the method needs
        more of the `anatomy` than is known; nothing is computed then.
        """
        self._require_anatomy(image, anatomy)
        card = self.checkpoint.card
        request, method, slabs = self.request(image, target, anatomy), self._method(image), card.slabs
        device = next(self.model.parameters()).device
        who = f"{image.source or 'an image'}, network of {training_words(card.fold, card.seed)}"
        try:
            maps = [method(request, to_tensor(seen, slabs)[None].to(device)) for seen in self._seen(image)]
        except CheckpointError as error:
            raise CheckpointError(f"{who}: {error}") from error
        if not all(np.isfinite(one).all() for one in maps):
            raise DataError(f"{who}: its {method.title} map holds NaN or infinite values; look at image and weights")
        raws = [from_tensor(torch.from_numpy(one)) for one in maps]
        name = self._method_name(image)
        if not any(one.any() for one in maps):
            log.warning(
                "%s: its %s map is empty: no voxel speaks for the class %s",
                who, method.title, self.checkpoint.card.classes[request.class_index],
            )  # fmt: skip
        if isinstance(image, Volume):
            return replace(image, array=raws[0], modality=name)
        x, y = image.array.shape[:2]
        raw = raws[0] if self.checkpoint.card.patches is None else join_patches(np.stack(raws), (x, y))
        return replace(image, array=raw[..., None], names=(name,), note="")

    def slab_values(self, eye: Volume, anatomy: Anatomy, target: int | None = None) -> NDArray[np.float64]:
        """The Shapley value of each slab (`slab_methods.PLAYERS`) in logit, whichever method the maps are made by."""
        require_known(
            "slab_shapley", eye.source, flat=False, surfaces=anatomy.known_surfaces, donors=len(anatomy.donors)
        )
        device = next(self.model.parameters()).device
        return slab_values(self.request(eye, target, anatomy), to_tensor(eye)[None].to(device))

    def _require_anatomy(self, image: Volume | PlaneStack, anatomy: Anatomy | None) -> None:
        who = image.source or "an image"
        if anatomy is not None and anatomy.eye is not image:
            raise DataError(f"{who}: the anatomy given with it is that of {anatomy.eye.source or 'another image'}")
        surfaces, donors = ((), 0) if anatomy is None else (anatomy.known_surfaces, len(anatomy.donors))
        flat = isinstance(image, PlaneStack)
        require_known(self._method_name(image), who, flat=flat, surfaces=surfaces, donors=donors)

    def _method_name(self, image: Volume | PlaneStack) -> str:
        return self.config.method_3d if isinstance(image, Volume) else self.config.method_2d

    def _method(self, image: Volume | PlaneStack) -> Method:
        return METHODS[self._method_name(image)]

    def _seen(self, image: Volume | PlaneStack) -> Sequence[Volume | PlaneStack]:
        """What the network is given of an eye: its image, or its patches."""
        card = self.checkpoint.card
        if card.patches is None or isinstance(image, Volume):
            return (image,)
        return cut_patches(image, card.slabs, card.patches)


def mean_map(
    explainers: Sequence[Explainer],
    image: Volume | PlaneStack,
    target: int | None = None,
    anatomy: Anatomy | None = None,
) -> Volume | PlaneStack:
    """The mean of several networks' raw maps of one eye, as their probabilities are averaged too, for the class with
    index `target`, or that of the configuration."""
    maps = [explainer.explain(image, target, anatomy) for explainer in explainers]
    average = np.stack([one.array for one in maps]).mean(axis=0, dtype=np.float32)
    return replace(maps[0], array=average)
