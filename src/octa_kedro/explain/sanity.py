"""Does a map depend on what the network has learnt? Cascading randomisation of weights, and maps of several networks.

A map is compared with another by rank correlation and structural similarity, and every such figure stands beside its
null: the similarity of maps of different eyes, which is not 0, as retinas and maps lie in the same place in every eye.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain.similarity import MEASURES, Mask, similarity

Method = Callable[[nn.Module, torch.Tensor], NDArray[np.floating]]
"""A map ``(D, H, W)`` of a network and an image ``(1, C, D, H, W)``; it must take from the network all that it uses."""
Maps = Mapping[str, NDArray[np.floating]]
Masks = Mapping[str, Mask]
NULL = "different eyes"


def layers_from_top(model: nn.Module, image: torch.Tensor) -> list[dict[str, nn.Module]]:
    """The layers of `model` that hold weights, last used first, found by one forward pass.

    A layer is a module with the parameters of its own, and with those of the modules in it that are never called
    themselves (the output projection of an attention layer). What the pass does not use, such as an auxiliary head,
    is left out: no map depends on it.
    """
    called: dict[str, nn.Module] = {}

    def note(name: str, module: nn.Module) -> None:
        called.setdefault(name, module)

    handles = [
        module.register_forward_pre_hook(lambda m, _inputs, name=name: note(name, m))
        for name, module in model.named_modules()
    ]
    training = model.training
    try:
        model.eval()
        with torch.no_grad():
            model(image.to(next(model.parameters()).device))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    layers = []
    for name, used in called.items():
        owners = {one: module for one, module in _within(used, name, called) if _owns(module)}
        if owners:
            layers.append(owners)
    return layers[::-1]


def randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights that `module` itself holds anew, in place, as before training.

    Matrices and kernels by He et al. 2015 (normal, variance 2 / fan-in, which keeps signals alive through ReLUs),
    biases 0, normalisation to weight 1 and fresh running statistics; of anything else (a class token, an embedding
    of positions) the values' own mean and deviation are kept.
    """
    with torch.no_grad():
        if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
            module.reset_parameters()
            return
        for name, values in module.named_parameters(recurse=False):
            if name.endswith("bias"):
                values.zero_()
            elif name.endswith("weight") and values.ndim > 1:
                fan_in = values[0].numel()
                values.copy_(torch.randn(values.shape, generator=generator) * (2 / fan_in) ** 0.5)
            else:
                mean, spread = float(values.mean()), float(values.std(correction=0))
                values.copy_(mean + torch.randn(values.shape, generator=generator) * spread)


def randomised_cascade(
    model: nn.Module, image: torch.Tensor, *, levels: int | None = None, seed: int = 0
) -> Iterator[tuple[str, nn.Module]]:
    """Copies of `model` with ever more layers randomised, from the last towards the first; `model` stays as it is.

    Yields the name of the lowest layer that is random and the network, `levels` times, evenly spread over the layers
    (each layer by itself if None); the last one is random altogether. It is one copy that is changed on: use it before
    the next is asked for. Adebayo et al. 2018, "Sanity Checks for Saliency Maps".
    """
    copy = deepcopy(model)
    layers = layers_from_top(copy, image)
    count = len(layers) if levels is None else levels
    if not 1 <= count <= len(layers):
        raise ConfigError(f"{count} levels of randomisation: the network has {len(layers)} layers with weights")
    stops = {round(len(layers) * (level + 1) / count) for level in range(count)}
    generator = torch.Generator().manual_seed(seed)
    for done, layer in enumerate(layers, start=1):
        for module in layer.values():
            randomise(module, generator)
        if done in stops:
            yield next(iter(layer)), copy


def randomisation_curve(
    model: nn.Module,
    image: torch.Tensor,
    methods: Mapping[str, Method],
    mask: Mask,
    *,
    levels: int | None = None,
    seed: int = 0,
    known: Maps | None = None,
) -> pd.DataFrame:
    """How similar each method's map stays to the trained network's while weights are randomised from the top.

    Columns: method, level (0 the network as trained), layer (the lowest one that is random), and MEASURES. A measure of
    a map without any variation is NaN: what has become empty is no map to compare. Cost: `levels` + 1 maps a
    method, one less where the trained network's are `known`. A method passes if it ends among its null
    (`null_similarity`).
    """
    first = dict(known or {}) or {name: method(model, image) for name, method in methods.items()}
    rows = [{"method": n, "level": 0, "layer": "", **similarity(heat, heat, mask)} for n, heat in first.items()]
    for level, (layer, network) in enumerate(randomised_cascade(model, image, levels=levels, seed=seed), start=1):
        for name, method in methods.items():
            measures = similarity(first[name], method(network, image), mask)
            rows.append({"method": name, "level": level, "layer": layer, **measures})
    return pd.DataFrame(rows, columns=["method", "level", "layer", *MEASURES])


def null_similarity(
    maps: Maps, masks: Masks, *, others: Maps | None = None, pairs: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Similarity of maps of different eyes, the null of all comparisons in this module.

    Both maps are of one network and method, which is the null of `randomisation_curve`; with `others`, the maps of a
    second network, the second map of a pair is from there, which is the null of `repeatability`. Columns: kind,
    subject, other, and MEASURES; at most `pairs` pairs, drawn at random. Only voxels inside both eyes' masks count.
    Arun et al. 2021 (Radiology: AI, "Assessing the Trustworthiness of Saliency Maps") use such a null.
    """
    second = maps if others is None else others
    chosen = [(a, b) for a in sorted(maps) for b in sorted(second) if (a < b if others is None else a != b)]
    chosen = [(a, b) for a, b in chosen if (masks[a] & masks[b]).any()]
    if not chosen:
        raise DataError("the null needs maps of at least 2 eyes whose tissue overlaps")
    if len(chosen) > pairs:
        drawn = np.random.default_rng(seed).choice(len(chosen), pairs, replace=False)
        chosen = [chosen[n] for n in np.sort(drawn)]
    rows = [
        {"kind": NULL, "subject": a, "other": b, **similarity(maps[a], second[b], masks[a] & masks[b])}
        for a, b in chosen
    ]
    return pd.DataFrame(rows, columns=["kind", "subject", "other", *MEASURES])


def repeatability(networks: Sequence[Maps], masks: Masks, *, kind: str = "networks") -> pd.DataFrame:
    """Similarity of the maps that several networks (folds, or seeds) make of the same eye.

    Columns: kind, subject, first, second (indices of `networks`), and MEASURES; a row for each eye that both have.
    """
    rows = [
        {"kind": kind, "subject": subject, "first": a, "second": b}
        | similarity(networks[a][subject], networks[b][subject], masks[subject])
        for a, b in combinations(range(len(networks)), 2)
        for subject in networks[a]
        if subject in networks[b]
    ]
    if not rows:
        raise DataError("no eye has maps by two networks: nothing to compare")
    return pd.DataFrame(rows, columns=["kind", "subject", "first", "second", *MEASURES])


def label_randomisation(trained: Sequence[Maps], shuffled: Sequence[Maps], masks: Masks) -> pd.DataFrame:
    """Maps of networks trained on the true labels against those of networks trained on shuffled ones.

    Rows of kind "shuffled labels" for each eye and pair of a trained and a shuffled network, rows of kind "true labels"
    (`repeatability`) to set beside them, if there are two trained networks. A method passes if its maps are more alike
    among true labels than between true and shuffled ones.
    """
    rows = [
        {"kind": "shuffled labels", "subject": subject, "first": a, "second": b}
        | similarity(one[subject], other[subject], masks[subject])
        for a, one in enumerate(trained)
        for b, other in enumerate(shuffled)
        for subject in one
        if subject in other
    ]
    if not rows:
        raise DataError("no eye has maps by networks of true and of shuffled labels: nothing to compare")
    table = pd.DataFrame(rows, columns=["kind", "subject", "first", "second", *MEASURES])
    if len(trained) < 2:
        return table
    return pd.concat([repeatability(trained, masks, kind="true labels"), table], ignore_index=True)


def _within(module: nn.Module, name: str, called: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """`module` and the modules in it that were not called, nor lie in one that was."""
    yield name, module
    for child, inner in module.named_children():
        path = f"{name}.{child}" if name else child
        if path not in called:
            yield from _within(inner, path, called)


def _owns(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None
