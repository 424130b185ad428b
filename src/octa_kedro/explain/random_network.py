"""A network with random weights: what its maps show is the image and the method, since it has learnt nothing."""

import torch

from octa_kedro.explain.sanity import randomise
from octa_kedro.models.factory import build_model
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.state.state_file import hash_tensors

RANDOM_WEIGHTS = "random weights"
"""The name of such maps among the methods that are scored."""


def random_checkpoint(checkpoint: Checkpoint, *, seed: int = 0) -> Checkpoint:
    """A network like that of `checkpoint` whose weights are all drawn at random (`sanity.randomise`).

    Its card says what the network is given, and nothing of the training: it has learnt from no eye. Networks that
    differ in their training only have the same random one, and so the same maps. It is named by its weights, since maps
    are: how they are drawn is not in the code that makes a map.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(checkpoint.card.model)
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        randomise(module, generator)
    nothing = {
        "fold": 0,
        "seed": 1,
        "epoch": 0,
        "metrics": {},
        "seen": {},
        "patients": {},
        "familiar": None,
        "parameters": {},
    }
    weights = model.state_dict()
    card = checkpoint.card.model_copy(update={**nothing, "weights_sha256": hash_tensors(weights)})
    return Checkpoint(weights, card)
