"""Catalog entries that an environment or conf/local adds: a misspelt name would be an entry that nothing reads."""

import logging
import re
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from kedro.framework.project import pipelines

from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.errors import ConfigError

log = logging.getLogger(__name__)


def require_known_entries(loader: ConfigLoader) -> None:
    """ConfigError for an entry whose name is almost that of a dataset, but of none; a warning for other unused ones.

    Entries of the base environment serve all environments and are not looked at.
    """
    added = {name: folder for folder in loader.folders[1:] for name in loader.names(folder, "catalog")}
    if not added:
        return
    used = set().union(*(pipeline.datasets() for pipeline in dict(pipelines).values()))
    strange = {name: folder for name, folder in added.items() if name not in used and not name.startswith("_")}
    base = loader.names(loader.folders[0], "catalog") if strange else []
    for name, folder in strange.items():
        judge_entry(f"conf/{folder}: catalog entry {name}", name, used, base)


def judge_entry(where: str, name: str, used: Iterable[str], base: Iterable[str]) -> None:
    """Refuse or warn of the entry `name`, unless one of the datasets that are `used` has that name or fits its pattern.

    `base` are the entries and patterns of the base environment.
    """
    used, base = [*used], [*base]
    if name in base or any(name == dataset or _fits(name, dataset) for dataset in used):
        return
    fits = any(_fits(pattern, name) for pattern in base)
    near = get_close_matches(name, [*used, *base], n=1, cutoff=0.8)
    if near and not fits:
        raise ConfigError(f"{where}: no pipeline reads or writes it, did you mean {near[0]}?")
    log.warning("%s: no pipeline of this environment reads or writes it", where)


def _fits(pattern: str, name: str) -> bool:
    """Whether a dataset factory's pattern, such as ``{model}.fold_{n}.history``, gives this name."""
    return "{" in pattern and fnmatchcase(name, re.sub(r"\{.*?\}", "*", pattern))
