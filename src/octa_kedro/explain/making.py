"""The map of one eye, and the values of its slabs, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

import numpy as np

from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.context import Context
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.slab_decision import PLAYERS
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

MAP, SLAB_VALUES = "map", "slab_values"


def map_parts(
    explainers: Sequence[Explainer], image: Stored, context: Context, _parts: Sequence[str]
) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye."""
    eye = image()
    return {MAP: Result(mean_map(explainers, eye, _anatomy(context, eye)))}


def slab_parts(
    explainers: Sequence[Explainer], image: Stored, context: Context, _parts: Sequence[str]
) -> dict[str, Result]:
    """The Shapley values of one eye's slabs in logit, as planes of one A-scan each: ``[network, 0, slab]``."""
    eye: Volume = image()
    anatomy = context.read(eye)
    values = np.stack([explainer.slab_values(eye, anatomy) for explainer in explainers])
    planes = PlaneStack(values[:, None].astype(np.float32), np.eye(4), PLAYERS, eye.laterality, eye.source)
    return {SLAB_VALUES: Result(planes)}


def _anatomy(context: Context, eye: Volume | PlaneStack) -> Anatomy | None:
    return context.read(eye) if isinstance(eye, Volume) else None
