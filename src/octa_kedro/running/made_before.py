"""What a run reads but does not make must be there before it starts: saved, in the version that is asked for."""

from collections.abc import Mapping

from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, CatalogProtocol, DatasetError, MemoryDataset
from kedro.io.core import VersionNotFoundError
from kedro.pipeline import Pipeline

from octa_kedro.configuration.unread import PARAMETERS
from octa_kedro.errors import ConfigError
from octa_kedro.running.typed_command import command_for

SHOWN = 3


def require_versions(catalog: CatalogProtocol, load_versions: Mapping[str, str]) -> None:
    """ConfigError for a version to load that there is not, or of a dataset that has none."""
    for name, version in load_versions.items():
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset):
            raise ConfigError(f"--load-versions {name}: this dataset has no versions; leave it out")
        there = versions_of(dataset)
        if version not in there:
            raise ConfigError(f"--load-versions {name}:{version}: there is no such version; {_shown(there)}")


def versions_of(dataset: AbstractVersionedDataset) -> list[str]:
    """The names of a dataset's versions, the newest first."""
    try:
        return dataset.list_versions(full_path=False)
    except VersionNotFoundError:
        return []


def _shown(there: list[str]) -> str:
    more = f" and {len(there) - SHOWN} older ones" if len(there) > SHOWN else ""
    return f"there are {', '.join(there[:SHOWN])}{more}" if there else "it was never saved"


def require_made(pipeline: Pipeline, catalog: CatalogProtocol, environment: str | None) -> None:
    """ConfigError if a dataset that `pipeline` reads and does not make was never saved; it names the pipeline that
    makes it, and the command."""
    for name in sorted(pipeline.inputs()):
        if name == "parameters" or name.startswith(PARAMETERS):
            continue
        dataset = catalog.get(name)
        if isinstance(dataset, MemoryDataset):
            _require_in_memory(name, dataset)
        elif isinstance(dataset, AbstractVersionedDataset) and not _is_there(dataset):
            raise ConfigError(
                f"{name} ({dataset._filepath}) was never made, and this run reads it; {_remedy(name, environment)}"
            )


def _is_there(dataset: AbstractVersionedDataset) -> bool:
    """Whether it can be loaded; what is `optional` or `dispensable` can always."""
    if getattr(dataset, "_optional", False) or getattr(dataset, "dispensable", False):
        return True
    try:
        return bool(dataset.exists())
    except DatasetError:  # it cannot be told: loading will say why
        return True


def _require_in_memory(name: str, dataset: MemoryDataset) -> None:
    if dataset.exists():
        return
    makers = [node.name for made in dict(pipelines).values() for node in made.nodes if name in node.outputs]
    with_it = f"run the node {makers[0]} with it (--from-nodes {makers[0]})" if makers else "no node makes it"
    raise ConfigError(f"{name} is kept in memory during a run only, and no node of this run makes it; {with_it}")


def _remedy(name: str, environment: str | None) -> str:
    """What to run first: the smallest pipeline that makes the dataset."""
    makers = {key: made for key, made in dict(pipelines).items() if name in made.outputs() | made.all_outputs()}
    if not makers:
        return "no pipeline of this environment makes it"
    smallest = min(makers, key=lambda key: len(makers[key].nodes))
    return f"run the pipeline {smallest} first: {command_for(smallest, environment)}"
