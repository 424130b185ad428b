"""What judged predictions were made from, in words."""

import re
from collections.abc import Mapping

from octa_kedro.cohort.trainings import training_words
from octa_kedro.io.seals import SHOWN

CHECKPOINT = re.compile(r"(?P<model>[\w.]+?)\.fold_(?P<fold>\d+)(\.seed_(?P<seed>\d+))?\.checkpoint")
IMAGES = ("processed_volumes", "enface_maps")
STARTS = "pretraining"


def describe_origin(made_from: Mapping[str, str]) -> str:
    """A paragraph of markdown that names checkpoints, images and splits by the beginnings of their hashes.

    `made_from` has the SHA-256 of datasets by their names; an empty text if it does not know who predicted.
    """
    matches = {name: match for name in made_from if (match := CHECKPOINT.fullmatch(name))}
    found = [(m["model"], int(m["seed"] or 1), int(m["fold"]), name) for name, m in matches.items()]
    if not found:
        return ""
    models = dict.fromkeys(model for model, *_ in sorted(found))
    lines = []
    for model in models:
        own = sorted((seed, fold, made_from[name]) for of, seed, fold, name in found if of == model)
        who = "start weights of" if model.split(".")[-1] == STARTS else "made by checkpoint"
        names = (f"{training_words(fold, seed).replace(',', '')} {sha[:SHOWN]}" for seed, fold, sha in own)
        lines.append(f"- {who} {model}: {', '.join(names)}")
    images = ", ".join(f"{name} {made_from[name][:SHOWN]}" for name in IMAGES if name in made_from)
    lines.append(f"- from volumes: {images}")
    lines.append(f"- splits: {made_from.get('splits', 'unknown')[:SHOWN]}")
    return "\n## What was judged (first digits of SHA-256)\n\n" + "\n".join(lines) + "\n"
