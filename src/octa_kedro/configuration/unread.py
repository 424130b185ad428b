"""What was asked of one run but is not read by its nodes."""

from collections.abc import Iterable, Mapping
from typing import Any

from kedro.pipeline import Pipeline

from octa_kedro.configuration.given import Difference
from octa_kedro.errors import ConfigError
from octa_kedro.messages.words import nearest

EVERYWHERE = (
    "source.",
    "cohort.name",
    "cohort.labelled",
    "inference.name",
    "external_test.name",
    "splits.folds",
    "splits.repeats",
)
"""Parameters that are used before any node runs: where scans are, where results lie, how pipelines are built."""

PARAMETERS = "params:"
CHOICE = ("tags", "from_nodes", "to_nodes", "node_names", "from_inputs", "to_outputs", "namespaces")
"""What the command ``run`` calls the options that choose nodes."""


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
    """ConfigError for a pipeline, node, namespace or dataset in the options `given` of the command ``run`` that the
    pipelines `known` do not have, or for options that together leave no node; Kedro's own errors are no single lines.
    """
    asked = [name for name in (given.get("pipeline"), *(given.get("pipelines") or ())) if name]
    _require_known("--pipelines", asked, known)
    chosen = sum((known[name] for name in asked or ["__default__"]), Pipeline([]))
    nodes, datasets = [node.name for node in chosen.nodes], chosen.datasets()
    spaces = {node.namespace for node in chosen.nodes if node.namespace}
    for name, there in (
        *(("node_names", nodes), ("from_nodes", nodes), ("to_nodes", nodes), ("namespaces", _with_parents(spaces))),
        *(("from_inputs", datasets), ("to_outputs", datasets)),
    ):
        _require_known(_option(name), given.get(name) or (), there)
    _require_known("--load-versions", given.get("load_versions") or (), _datasets_of(known))
    choice: dict[str, Iterable[str]] = {name: given[name] for name in CHOICE if given.get(name)}
    try:
        chosen.filter(**{name.replace("namespaces", "node_namespaces"): value for name, value in choice.items()})
    except ValueError as error:
        if "contains no nodes" not in str(error):
            return  # of tags, which `require_known_tags` tells better
        options = ", ".join(f"{_option(name)} {','.join(value)}" for name, value in choice.items())
        raise ConfigError(
            f"{options}: together they leave no node to run; leave one of them out, or exchange from and to"
        ) from error


def _option(name: str) -> str:
    return "--nodes" if name == "node_names" else f"--{name.replace('_', '-')}"


def _with_parents(spaces: Iterable[str]) -> set[str]:
    """Namespaces and those around them: ``a.b`` lies in ``a``."""
    parts = [space.split(".") for space in spaces]
    return {".".join(part[:n]) for part in parts for n in range(1, len(part) + 1)}


def _datasets_of(known: Mapping[str, Pipeline]) -> set[str]:
    """The datasets of all pipelines, without parameters."""
    names = set().union(*(pipeline.datasets() for pipeline in known.values()))
    return {name for name in names if not name.startswith(PARAMETERS)}


def _require_known(option: str, asked: Iterable[str], known: Iterable[str]) -> None:
    names = [*known]
    for name in asked:
        if name not in names:
            guess = nearest(name, names, "kedro registry list and describe show the names")
            raise ConfigError(f"{option} {name}: there is none of this name; {guess}")


def require_known_tags(tags: Iterable[str], pipeline: Pipeline) -> None:
    """ConfigError for a tag that no node of the run has: the others alone would have chosen the nodes."""
    there = sorted({tag for node in pipeline.nodes for tag in node.tags})
    if missing := [tag for tag in tags if tag not in there]:
        raise ConfigError(f"--tags {missing[0]}: no node of this run has this tag; its nodes have {', '.join(there)}")
