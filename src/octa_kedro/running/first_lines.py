"""The first lines in the log of every run: configuration, data, and what differs from the base environment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from octa_kedro.configuration.config_loader import LOCAL, ConfigLoader
from octa_kedro.configuration.given import Difference
from octa_kedro.configuration.source_path import SOURCE, source_origin

MOST = 3
HIDDEN = "a path that is not shown, since source.pseudonyms is given"


def first_lines(loader: ConfigLoader, source: dict[str, Any], root: str, found: Sequence[Difference]) -> list[str]:
    """Which folders of configuration were read, in their order, with the files of conf/local; where scans are read
    from (the catalog's entry `source`) and results go (`root`); and the MOST parameters that differ most from the base.
    """
    path, layout = source.get("filepath", "?"), source.get("layout", "?")
    origin = source_origin(str(path), found)
    return [
        f"configuration, the last counts: {', '.join(_folder(loader, name) for name in loader.folders)}",
        f"data: {HIDDEN if source.get('pseudonyms') else path} (layout {layout}, from {origin}); results in {root}",
        _most([one for one in found if one.name != SOURCE]),
    ]


def _folder(loader: ConfigLoader, name: str) -> str:
    shown = f"{Path(loader.conf_source).name}/{name}"
    if name != LOCAL:
        return shown
    others = f"; not read: {', '.join(unread)}" if (unread := loader.others(name)) else ""
    return f"{shown} ({', '.join(loader.files(name)) or 'no files'}{others})"


def _most(found: Sequence[Difference]) -> str:
    if not found:
        return "parameters: all as in conf/base"
    rest = len(found) - MOST
    more = f"; and {rest} more" if rest > 0 else ""
    return f"parameters that differ from conf/base: {'; '.join(map(str, found[:MOST]))}{more}"
