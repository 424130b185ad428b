"""Does the network use what its maps mark, and do maps depend on what it has learnt?

    python benchmarks/faithfulness.py --project /tmp/explanations/seed_2 --eyes 2

Takes a project with a trained 3D network, for example one that explanations.py has left. Of `--eyes` held-out eyes a
disease, with the network of fold 1: deletion and insertion against two replacements (the eye blurred in plane, and a
healthy eye of the development set warped to its surfaces), ROAD, and a cascade of randomised weights. Gains are those
over random rankings, as a share of the difference between the eye and its replacement (ROAD: in logits). Edges and
brightness, which know no network, stand beside the methods: beating random rankings alone proves little.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from explanations import chosen_eyes
from octa_kedro.explain.checked_cohort import CheckedContexts, cascade
from octa_kedro.explain.checks import CheckedEye, Effort, heat_of, judge_faithfulness
from octa_kedro.explain.config import WITH_DONORS, ExplainConfig
from octa_kedro.explain.controls import CONTROLS, Eye
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.ranking import Removal
from octa_kedro.models.axes import to_tensor
from scratch import run

EFFORT = Effort(levels=4, steps=10, shares=(0.1, 0.3, 0.5, 0.7, 0.9), removal=Removal(draws=3))
OF_NETWORK = (WITH_DONORS, "integrated_gradients", "grad_cam")
OF_NO_NETWORK = ("brightness", "edges")


def judge_eye(eye: CheckedEye, explainers: Mapping[str, Explainer]) -> pd.DataFrame:
    """All tables of one eye: a row per test and method, and per method and randomisation level."""
    first = explainers[OF_NETWORK[0]]
    heats = {name: heat_of(explainer, eye) for name, explainer in explainers.items()}
    curves = [cascade(one, eye, {name: heats[name]}, EFFORT) for name, one in explainers.items()]
    for name in OF_NO_NETWORK:
        control = CONTROLS[name](Eye(eye.subject, eye.volume, eye.anatomy.surfaces))
        if control is not None:
            heats[name] = to_tensor(control)[0].numpy()
    judged = judge_faithfulness(first.model, eye, heats, EFFORT)
    return pd.concat([judged.assign(subject=eye.subject), *curves], ignore_index=True)


def main() -> None:
    """Print the means over eyes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--eyes", type=int, default=2)
    given = parser.parse_args()
    catalog = run(given.project, {}, node_names=["tabulate_folds"])
    images, surfaces = catalog["processed_volumes"].load(), catalog["processed_surfaces"].load()
    checkpoint = catalog["training_3d.fold_1.checkpoint"].load()
    explainers = {
        name: Explainer(checkpoint, ExplainConfig.model_validate({"method_3d": name, "device": "cpu"}))
        for name in OF_NETWORK
    }
    first = explainers[OF_NETWORK[0]]
    contexts = CheckedContexts(images, surfaces, catalog["splits"].load(), first)
    tables = [
        judge_eye(contexts.prepare(subject, images[subject](), first, 1), explainers)
        for subject in chosen_eyes(catalog["evaluation.predictions"].load(), given.eyes)["subject"].astype(str)
    ]
    table = pd.concat(tables, ignore_index=True)
    print(f"{len(tables)} eyes")
    gains = table.groupby(["test", "method"], sort=False)[["deletion_gain", "insertion_gain", "road_gain"]].mean()
    print(gains.dropna(how="all").round(2).to_string())
    curves = table[table["level"].notna()].pivot_table(index="method", columns="level", values="spearman")
    print("Spearman correlation with the trained network's map, by level of randomisation")
    print(curves.round(2).to_string())


if __name__ == "__main__":
    main()
