"""Which versions a run reads: of what it makes its own, of all else the newest that were there when it began.

Kedro looks for the newest version whenever a dataset is loaded, and takes the largest name. A second run in the same
project, or a clock that was set back, would give a step what another run has saved.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, Version
from kedro.pipeline import Pipeline

from octa_kedro.datasets.checkpoint import ModelFolderDataset
from octa_kedro.datasets.source import SourceDataset
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.running.made_before import versions_of
from octa_kedro.running.upkeep import VERSION

SETTINGS = "params:inference"


def settle_versions(pipeline: Pipeline, catalog: Any, version: str) -> None:
    """Fix what each dataset of `pipeline` loads during the run `version`; those that --load-versions names stay."""
    made = pipeline.all_outputs()
    for name, dataset in _versioned(pipeline, catalog):
        if isinstance(dataset, ModelFolderDataset):
            dataset.until = version
        elif (settled := version if name in made else _newest(dataset, version)) is not None:
            dataset._version = Version(settled, version)


def reads_of(pipeline: Pipeline, catalog: Any, named: Collection[str]) -> dict[str, list[Path]]:
    """The files and folders whose newest content a run takes from others, by dataset; `named` has given versions."""
    reads = {name: [_place(dataset)] for name, dataset in _placed(pipeline.inputs() - {*named}, catalog)}
    for name, dataset in _versioned(pipeline, catalog):
        if isinstance(dataset, ModelFolderDataset) and name in reads:
            given = catalog.load(SETTINGS) if SETTINGS in pipeline.inputs() else {}
            reads[name] = list(_networks(dataset, InferenceConfig.model_validate(given)))
    return reads


def writes_of(pipeline: Pipeline, catalog: Any) -> list[Path]:
    """The files and folders that a run saves to, each for all its versions."""
    return [_place(dataset) for _, dataset in _placed(pipeline.all_outputs(), catalog)]


def _networks(dataset: ModelFolderDataset, settings: InferenceConfig) -> Iterator[Path]:
    given = settings.checkpoint or settings.checkpoints
    if given is None:
        yield _place(dataset) / settings.model
    else:
        yield from (Path(one) for one in ([given] if isinstance(given, str) else given))


def _versioned(pipeline: Pipeline, catalog: Any) -> Iterator[tuple[str, AbstractVersionedDataset]]:
    """The versioned datasets of which no version to load is given."""
    for name in sorted(pipeline.datasets()):
        dataset = catalog.get(name)
        if isinstance(dataset, AbstractVersionedDataset) and dataset._version and not dataset._version.load:
            yield name, dataset


def _placed(names: Collection[str], catalog: Any) -> Iterator[tuple[str, AbstractVersionedDataset | SourceDataset]]:
    for name in sorted(names):
        dataset = catalog.get(name)
        if isinstance(dataset, AbstractVersionedDataset | SourceDataset):
            yield name, dataset


def _place(dataset: AbstractVersionedDataset | SourceDataset) -> Path:
    return dataset.root if isinstance(dataset, SourceDataset) else Path(dataset._filepath)


def _newest(dataset: AbstractVersionedDataset, version: str) -> str | None:
    """The newest version that is no newer than this run; None if there is none."""
    return next((one for one in versions_of(dataset) if not VERSION.fullmatch(one) or one <= version), None)
