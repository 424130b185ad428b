"""What was asked of one run but is not read by its nodes."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from kedro.pipeline import Pipeline

from octa_kedro.errors import ConfigError
from octa_kedro.given import Difference

EVERYWHERE = ("source.", "cohort.name", "cohort.labelled", "inference.name", "splits.folds", "splits.repeats")
"""Parameters that are used before any node runs: where scans are, where results lie, how pipelines are built."""

PARAMETERS = "params:"


def unread_by(pipeline: Pipeline, found: Iterable[Difference], load_versions: Mapping[str, str]) -> list[str]:
    """Words on run parameters and versions that no node of `pipeline` reads."""
    inputs = {name for node in pipeline.nodes for name in node.inputs}
    read = {name.removeprefix(PARAMETERS).split(".")[0] for name in inputs if name.startswith(PARAMETERS)}
    words = [
        f"{one.name} ({one.layer.place}): no node of this run reads it"
        for one in found
        if one.layer.asked and one.name.split(".")[0] not in read and not one.name.startswith(EVERYWHERE)
    ]
    return words + [
        f"--load-versions {name}: no node of this run reads it" for name in load_versions if name not in inputs
    ]


def require_known_parts(given: Mapping[str, Any], known: Mapping[str, Pipeline]) -> None:
    """ConfigError for a pipeline, node or dataset in the options `given` of the command ``run`` that the pipelines
    `known` do not have; Kedro's own errors are no single lines."""
    asked = [name for name in (given.get("pipeline"), *(given.get("pipelines") or ())) if name]
    _require_known("--pipelines", asked, known)
    chosen = [known[name] for name in asked or ["__default__"]]
    nodes = [node.name for pipeline in chosen for node in pipeline.nodes]
    datasets = [name for pipeline in chosen for name in pipeline.datasets()]
    for option, there in (
        *(("nodes", nodes), ("from-nodes", nodes), ("to-nodes", nodes)),
        *(("from-inputs", datasets), ("to-outputs", datasets)),
    ):
        parameter = "node_names" if option == "nodes" else option.replace("-", "_")
        _require_known(f"--{option}", given.get(parameter) or (), there)


def _require_known(option: str, asked: Iterable[str], known: Iterable[str]) -> None:
    names = [*known]
    for name in asked:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            guess = f"did you mean {near[0]}?" if near else "kedro registry list and describe show the names"
            raise ConfigError(f"{option} {name}: there is none of this name; {guess}")


def require_known_tags(tags: Iterable[str], pipeline: Pipeline) -> None:
    """ConfigError for a tag that no node of the run has: the others alone would have chosen the nodes."""
    there = sorted({tag for node in pipeline.nodes for tag in node.tags})
    if missing := [tag for tag in tags if tag not in there]:
        raise ConfigError(f"--tags {missing[0]}: no node of this run has this tag; its nodes have {', '.join(there)}")
