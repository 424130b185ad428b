"""What every result was made from is noted with it, and no step reads results that do not belong together.

The rule, for every node: if two of its inputs were made from a dataset, or one is it and the other was made from it,
that dataset had the same content both times; and no input is another dataset's, put in its place. Contents are compared
by their hashes, not by versions, so that a step that was run again with the same result changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.errors import DataError
from octa_kedro.io.seals import PARAMETERS, SHOWN, Made

BEGINNINGS = {"data_processing", "pretraining"}
"""Tags of nodes behind whose results no step looks: images, splits and start weights stand for themselves."""
PASSING_ON = {"tabulate_folds"}
"""Such nodes whose results are parts of their inputs, so that these are looked at too."""

Known = tuple[str, str]
log = logging.getLogger(__name__)


class EvidenceHooks:
    """Kedro hooks round every node: compare what its inputs were made from, tell its outputs."""

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> dict[str, None]:
        """DataError if two inputs of `node` do not belong together; its outputs learn what they are made from.

        Inputs that a step can do without and that do not belong to the others are left out: it gets None for them.
        """
        datasets = {name: catalog.get(name) for name in node.inputs if not name.startswith("params:")}
        inputs = {
            name: dataset.made
            for name, dataset in datasets.items()
            if isinstance(dataset, VersionedFile) and dataset.made is not None
        }
        left_out = _without_foreign(inputs, datasets)
        if strays := {name: made.name for name, made in inputs.items() if made.name not in {"", name}}:
            raise DataError(_stray_words(*next(iter(strays.items())), catalog))
        if clash := find_clash(inputs):
            raise DataError(_words(clash, catalog))
        passes_on = node.name in PASSING_ON or not BEGINNINGS & node.tags
        history = history_of(inputs, whole=not BEGINNINGS & node.tags)
        for name in node.outputs:
            if isinstance(dataset := catalog.get(name), VersionedFile):
                dataset.made_from, dataset.passes_on, dataset.known_as = history, passes_on, name
        return dict.fromkeys(left_out)


def _without_foreign(inputs: dict[str, Made], datasets: Mapping[str, Any]) -> list[str]:
    """Take out of `inputs` those that are dispensable and clash with others, with a warning; their names."""
    spare = [name for name in inputs if datasets[name].dispensable]
    kept = {name: made for name, made in inputs.items() if name not in spare}
    left_out = []
    for name in spare:
        if find_clash(kept | {name: inputs[name]}) is None:
            kept[name] = inputs[name]
        else:
            log.warning("%s was made from other results than those that are read here, so it is left out", name)
            left_out.append(name)
            del inputs[name]
    return left_out


def history_of(inputs: Mapping[str, Made], *, whole: bool = True) -> dict[str, str]:
    """The hashes of a step's inputs by their names, with those of what they pass on if the `whole` is asked for."""
    passed = {name: sha for made in inputs.values() if whole and made.passes_on for name, sha in made.made_from.items()}
    return dict(sorted((passed | {name: made.sha256 for name, made in inputs.items()}).items()))


def find_clash(inputs: Mapping[str, Made]) -> tuple[str, Known, Known] | None:
    """A dataset that two of the inputs disagree about, each with its name and the hash that it states; None if all
    belong together."""
    stated: dict[str, Known] = {}
    for dataset, by, sha in _statements(inputs):
        if stated.setdefault(dataset, (by, sha))[1] != sha:
            return dataset, stated[dataset], (by, sha)
    return None


def _statements(inputs: Mapping[str, Made]) -> Iterator[tuple[str, str, str]]:
    """Dataset, the input that states its hash, and the hash; inputs themselves come first."""
    for name, made in inputs.items():
        yield name, name, made.sha256
    for name, made in inputs.items():
        for ancestor, sha in made.made_from.items():
            yield ancestor, name, sha


def _stray_words(name: str, own: str, catalog: Any) -> str:
    """What to say of a dataset whose files are another one's."""
    return (
        f"{name} ({catalog.get(name)._filepath}): its files are those of {own}, put in its place; restore them, or run "
        "the pipeline that makes it again"
    )


def _words(clash: tuple[str, Known, Known], catalog: Any) -> str:
    dataset, (first, one), (second, other) = clash
    if dataset.startswith(PARAMETERS):
        return (
            f"{first} and {second} were made with different parameters of {dataset.removeprefix(PARAMETERS)}: they do "
            "not belong together; train those folds again with the same parameters, or name versions that do by "
            "--load-versions (DATASET:VERSION)"
        )
    kept = catalog.get(dataset)

    def shown(sha: str) -> str:
        version = kept.version_with(sha) if isinstance(kept, VersionedFile) else ""
        return f"{sha[:SHOWN]} (version {version})" if version else sha[:SHOWN]

    reads = f"this step reads {shown(one)}" if first == dataset else f"{first} from {shown(one)}"
    stale = second if first == dataset else f"one of {first} and {second}"
    return (
        f"{second} was made from {dataset} {shown(other)}, but {reads}: they do not belong together; run the pipelines "
        f"that make {stale} again, or name versions that do by --load-versions (DATASET:VERSION)"
    )
