"""The names that timm knows, read from its files: importing timm takes seconds, too long to refuse a misspelt name."""

import importlib.util
import re
from functools import cache
from pathlib import Path

NETWORK = re.compile(r"^@register_model[^\n]*\ndef (\w+)\(", re.MULTILINE)
RENAMED = re.compile(r"register_model_deprecations\(__name__, \{(.*?)\}\)", re.DOTALL)
OLD_NAME = re.compile(r"^\s*['\"]([\w.]+)['\"]\s*:", re.MULTILINE)
OPTIMISER = re.compile(r"OptimInfo\(\s*name=['\"](\w+)['\"]")
PLAUSIBLE = {"networks": 500, "optimisers": 30}
"""With fewer names found, timm has changed the form of its files, and is imported instead."""


@cache
def timm_networks() -> frozenset[str]:
    """Every network that timm can build, old names included."""
    found: set[str] = set()
    for file in (_timm() / "models").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        found.update(NETWORK.findall(text))
        found.update(name for block in RENAMED.findall(text) for name in OLD_NAME.findall(block))
    if len(found) >= PLAUSIBLE["networks"]:
        return frozenset(found)
    import timm  # noqa: PLC0415

    return frozenset(timm.list_models())


@cache
def timm_optimisers() -> frozenset[str]:
    """The optimisers that timm registers one by one; it has a few more, see `asked_timm`."""
    found = {
        name
        for file in (_timm() / "optim").glob("*.py")
        for name in OPTIMISER.findall(file.read_text(encoding="utf-8"))
    }
    return frozenset(found) if len(found) >= PLAUSIBLE["optimisers"] else asked_timm()


@cache
def asked_timm() -> frozenset[str]:
    """Every optimiser of timm, by timm itself."""
    from timm.optim import list_optimizers  # noqa: PLC0415

    return frozenset(list_optimizers())


def _timm() -> Path:
    spec = importlib.util.find_spec("timm")  # finds it without importing it
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
