"""Does the network use what its maps mark, and do maps depend on what it has learnt?

    python benchmarks/faithfulness.py --project /tmp/explanations/seed_2 --eyes 2

Takes a project with a trained 3D network, for example one that explanations.py has left. Of `--eyes` held-out eyes a
disease, with the network of fold 1: deletion and insertion against two replacements (the eye blurred in plane, and a
healthy eye of the development set warped to its surfaces), ROAD, and a cascade of randomised weights. Gains are those
over random rankings, as a share of the difference between the eye and its replacement (ROAD: in logits). Edges and
brightness, which know no network, stand beside the methods: beating random rankings alone proves little.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_gradient_magnitude
from torch import nn

from explanations import chosen_eyes
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.donors import blurred_replacement, donor_replacement
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.faithfulness import Scorer, judge_road, judge_swaps
from octa_kedro.explain.layers import choose_layers, measure_layers
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.ranking import Removal
from octa_kedro.explain.request import MapRequest
from octa_kedro.explain.sanity import randomisation_curve
from octa_kedro.io.volume import Volume
from octa_kedro.models.axes import to_tensor
from octa_kedro.preprocessing.slabs import slab_mask
from scratch import run

RETINA = "ILM_BM"
LEVELS = 4
OF_NETWORK = ("integrated_gradients", "gradient_x_input", "grad_cam")
Method = Callable[[nn.Module, torch.Tensor], NDArray[np.float32]]


def methods_for(spacing_mm: tuple[float, ...]) -> Mapping[str, Method]:
    """Methods and controls as functions of any network: layers are those of the one that is asked."""

    def of_network(name: str) -> Method:
        def explain(model: nn.Module, image: torch.Tensor) -> NDArray[np.float32]:
            config = ExplainConfig(device="cpu")
            layers = choose_layers(measure_layers(model, image.shape[1:], spacing_mm), config)
            return METHODS[name](MapRequest(model, config, spacing_mm, layers), image)

        return explain

    return {
        **{name: of_network(name) for name in OF_NETWORK},
        "brightness": lambda _model, image: image[0, 0].numpy().copy(),
        "edges": lambda _model, image: gaussian_gradient_magnitude(image[0, 0].numpy(), 1),
    }


def judge_eye(model: nn.Module, eye: Volume, surfaces: Any, donor: tuple[Volume, Any]) -> pd.DataFrame:
    """All tables of one eye, a row per method, replacement and randomisation level."""
    x, y, z = (float(mm) for mm in eye.spacing)
    methods = methods_for((z, y, x))
    image = to_tensor(eye)[None]
    mask = slab_mask(surfaces, RETINA, eye.array.shape, eye.affine).transpose(2, 1, 0).copy()
    heats = {name: method(model, image) for name, method in methods.items()}
    replacements = {
        "blurred": blurred_replacement(eye, surfaces=surfaces, mask_slab=RETINA),
        "donor": donor_replacement(eye, surfaces, *donor, mask_slab=RETINA),
    }
    tables = [
        judge_swaps(Scorer(model, 1), image, to_tensor(eye.with_array(other))[None], heats, mask).assign(test=name)
        for name, other in replacements.items()
    ]
    tables.append(judge_road(Scorer(model, 1), image, heats, mask, removal=Removal(draws=2)).assign(test="ROAD"))
    tables.append(randomisation_curve(model, image, methods, mask, levels=LEVELS).assign(test="random weights"))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Print the means over eyes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--eyes", type=int, default=2)
    given = parser.parse_args()
    catalog = run(given.project, {}, node_names=["tabulate_folds"])
    images, surfaces = catalog["processed_volumes"].load(), catalog["processed_surfaces"].load()
    splits = catalog["splits"].load()
    healthy = splits[~splits["held_out"] & (splits["disease"] == "NORMAL")]["subject"].astype(str).iloc[0]
    explainer = Explainer(catalog["training_3d.fold_1.checkpoint"].load(), ExplainConfig(device="cpu"))
    tables = []
    for subject in chosen_eyes(catalog["evaluation.predictions"].load(), given.eyes)["subject"].astype(str):
        donor = (images[healthy](), surfaces[healthy]())
        tables.append(judge_eye(explainer.model, images[subject](), surfaces[subject](), donor).assign(subject=subject))
    table = pd.concat(tables, ignore_index=True)
    print(f"{len(tables)} eyes")
    gains = table.groupby(["test", "method"], sort=False)[["deletion_gain", "insertion_gain", "road_gain"]].mean()
    print(gains.dropna(how="all").round(2).to_string())
    cascade = table[table["test"] == "random weights"].pivot_table(index="method", columns="level", values="spearman")
    print("Spearman correlation with the trained network's map, by level of randomisation")
    print(cascade.round(2).to_string())


if __name__ == "__main__":
    main()
