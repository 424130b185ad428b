"""What the report of an evaluation is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.report.origin import Changed, Read

SOURCES = {
    "phantom": "the phantom (synthetic eyes, which say nothing about patients), unless source.path or OCTA_DATA named "
    "another folder",
    "octa500": "OCTA-500",
    "nifti_folder": "a folder of NIfTI volumes",
    "vendor": "files of scanners",
}
"""The `source` of structure.yml in words."""


@dataclass(frozen=True)
class Tables:
    """The tables of a cohort and of an evaluation, as the catalog has them; `biomarkers` may be empty."""

    flow: pd.DataFrame
    splits: pd.DataFrame
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    permutation: pd.DataFrame
    biomarkers: pd.DataFrame
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Networks:
    """By model: the facts of its networks (`networks.network_facts`), and their histories with the figure of them; by
    network: whom it has seen."""

    facts: Mapping[str, Sequence[Mapping[str, Any]]]
    histories: Mapping[str, Sequence[pd.DataFrame]]
    history_figures: Mapping[str, Path]
    seen: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Origin:
    """Where results come from: changed parameters (None: not known) of an environment, datasets read, what the
    predictions were made from, the GPU, and the `source` of structure.yml."""

    changed: Sequence[Changed] | None = None
    environment: str = ""
    read: Sequence[Read] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)
    gpu: str = ""
    processing: str = ""
    source: str = ""
