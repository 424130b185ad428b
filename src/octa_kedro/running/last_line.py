"""The last line of a run that has written a report: where it lies."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset
from kedro.pipeline import Pipeline

REPORTS = ("report", "external_test.report")


def report_written(pipeline: Pipeline, catalog: Any, project: Path) -> Path | None:
    """The file of the report that `pipeline` has written, from the folder of the project where it lies there; None if
    it writes none."""
    written = [name for name in REPORTS if name in pipeline.all_outputs()]
    if not written:
        return None
    dataset = catalog.get(written[-1])
    if not isinstance(dataset, AbstractVersionedDataset):
        return None
    path = Path(dataset._get_load_path())
    return path.relative_to(project) if path.is_relative_to(project) else path
