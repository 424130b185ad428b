"""Where a run's results lie: every cohort has a data root of its own, with Kedro's layer folders in it.

The root follows from the environment and the parameters; catalog files name it as ``${octa.root:}``, that of an
inference as ``${octa.inference:}``, that of an external test as ``${octa.external:}``. So nothing that was made of one
cohort is ever found by a run of another.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_ENVIRONMENTS = frozenset({"base", "local"})
"""Environments whose results lie in ``data`` itself."""
SECOND = "second_cohort"


@dataclass(frozen=True)
class DataRoots:
    """Folders, relative to the project: `cohort` for everything that is made of a cohort, `inference` for what trained
    networks say of a source of eyes, `external` for the test on a second cohort; and the `environment` that they
    belong to. `second_source` is where the scans of the second cohort lie, `second_pseudonyms` the table of its
    subjects."""

    cohort: str = "data"
    inference: str = "data/inference/source"
    environment: str = field(default="local", compare=False)
    external: str = field(default="data/external/second_cohort", compare=False)
    second_source: str = field(default="data/01_raw/second_cohort", compare=False)
    second_pseudonyms: str | None = field(default=None, compare=False)


def data_roots(environment: str | None, parameters: Mapping[str, Any]) -> DataRoots:
    """The roots of a run.

    ``data`` in the default environment, ``data/<environment>`` in others; ``<environment>/<name>`` (``local`` for the
    default one) with ``cohort.name``; ``.../unlabelled`` for eyes that are processed without labels. An inference lies
    in ``inference/<name>`` below, by ``inference.name`` or else the last part of the source's path, which may name a
    patient where there are ``source.pseudonyms``: there it is ``source``. An external test lies in ``external/<name>``,
    by the same rule of ``external_test.name`` and ``external_test.path``.
    """
    cohort, inference = parameters.get("cohort") or {}, parameters.get("inference") or {}
    own = environment or "local"
    parts = ["data"] if own in DEFAULT_ENVIRONMENTS and not cohort.get("name") else ["data", own]
    if cohort.get("name"):
        parts.append(str(cohort["name"]))
    root = "/".join(parts)
    name = str(inference.get("name") or source_name(parameters))
    labelled = cohort.get("labelled", True)
    second = parameters.get("external_test") or {}
    path = str(second.get("path") or f"{root}/01_raw/{SECOND}")
    hidden = SECOND if second.get("pseudonyms") else Path(path).resolve().name or SECOND
    return DataRoots(
        root if labelled else f"{root}/unlabelled",
        f"{root}/inference/{name}",
        own,
        f"{root}/external/{second.get('name') or hidden}",
        path,
        second.get("pseudonyms"),
    )


def source_name(parameters: Mapping[str, Any]) -> str:
    """The last part of the path that scans are read from; ``source`` where the catalog's own is taken."""
    source = parameters.get("source") or {}
    path = None if source.get("pseudonyms") else source.get("path") or os.environ.get("OCTA_DATA")
    # resolved, or a path that ends in `..` would lead out of the folder that is meant
    return Path(str(path)).resolve().name or "source" if path else "source"


_current = DataRoots()


def use_data_roots(roots: DataRoots) -> None:
    """Make `roots` those that the catalog's resolvers give."""
    global _current  # noqa: PLW0603 - resolvers of a configuration file are functions without a run
    _current = roots


def cohort_root() -> str:
    """``${octa.root:}`` in a configuration file."""
    return _current.cohort


def inference_root() -> str:
    """``${octa.inference:}`` in a configuration file."""
    return _current.inference


def external_root() -> str:
    """``${octa.external:}`` in a configuration file."""
    return _current.external


def second_source() -> str:
    """``${octa.second_source:}`` in a configuration file."""
    return _current.second_source


def second_pseudonyms() -> str | None:
    """``${octa.second_pseudonyms:}`` in a configuration file."""
    return _current.second_pseudonyms


def environment_name() -> str:
    """``${octa.environment:}`` in a configuration file."""
    return _current.environment
