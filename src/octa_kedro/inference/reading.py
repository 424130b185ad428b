"""What networks say of eyes, as recipes: an eye's map with the probabilities that belong to it, made together."""

from collections.abc import Mapping, Sequence
from functools import partial

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.recipes import map_key
from octa_kedro.explain.target import class_index
from octa_kedro.inference.making import READING, reading_parts
from octa_kedro.inference.networks import Network
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.keys import hash_of
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.stored import Stored
from octa_kedro.training.guard import require_same_references


def images_for(
    networks: Sequence[Network], volumes: Mapping[str, Stored], enface: Mapping[str, Stored]
) -> Mapping[str, Stored]:
    """Those of the processed `volumes` and `enface` maps that the networks see."""
    return volumes if networks[0].card.model.spatial_dims == 3 else enface


def require_explainable(networks: Sequence[Network], config: ExplainConfig) -> None:
    """ConfigError for a method that compares with healthy eyes: the development eyes of the mission are no part of an
    inference, which needs a network and the eyes to read, and nothing else."""
    dims = networks[0].card.model.spatial_dims
    settled = config.settled(donors=False)
    name = settled.method_3d if dims == 3 else settled.method_2d
    if METHODS[name].needs:
        others = [other for other, method in METHODS.items() if not method.needs]
        raise ConfigError(
            f"explainability.method_{dims}d is {name}, which needs healthy donor eyes, but inference has none; choose "
            f"one of {', '.join(others)}"
        )


def reading_job(
    images: Mapping[str, Stored], networks: Sequence[Network], config: ExplainConfig, threshold: float
) -> Job:
    """A reading (`making.reading_parts`) of each eye, one after the other: they share the networks' device.

    One of which nothing can be said is put aside. `threshold` is the probability from which an eye is called diseased,
    where the predicted class is explained.

    CheckpointError for images that were registered to other eyes than those of training, ConfigError for images made
    with other settings, for a class to explain that the networks do not know, and for a method that compares with
    healthy eyes.
    """
    require_explainable(networks, config)
    config = config.settled(donors=False)
    card = networks[0].card
    class_index(config.target_class, card.classes)
    require_processed_as(images, card.processing, who="the checkpoint")
    require_same_references(images, card, str(networks[0].path))
    explainers = [Explainer(network.checkpoint, config) for network in networks]
    precisions = [network.card.parameters.get("precision") for network in networks]
    recipes = {}
    for subject, image in images.items():
        key = hash_of(step="reading", map=map_key(explainers, image, config, threshold), precisions=precisions)
        recipes[subject] = Recipe(partial(reading_parts, explainers, threshold, image), {READING: key})
    return Job(recipes, READING, ExecutionConfig(workers=1, on_error="quarantine"), threads=None)
