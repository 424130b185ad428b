"""The check that a method is given what it needs, before anything is computed."""

from collections.abc import Collection

from octa_kedro.errors import ConfigError
from octa_kedro.explain.donors import ENDS
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.profile import EDGES

SURFACES_FOR = {"slabs": EDGES, "donors": ENDS}
"""The surfaces of the eye without which a need cannot be met."""


def require_known(name: str, who: str, *, flat: bool, surfaces: Collection[str], donors: int) -> None:
    """ConfigError unless the method `name` has all it needs for the eye `who`, with what else would do.

    `flat` are en-face maps; `surfaces` are the names of those that are known, and `donors` is the number of healthy
    eyes that fit.
    """
    needs = METHODS[name].needs
    if not needs:
        return
    setting = f"explainability.method_{2 if flat else 3}d is {name}"
    others = f"choose one of {', '.join(other for other, method in METHODS.items() if not method.needs)}"
    if flat:
        raise ConfigError(f"{setting}, which needs a volume, but {who} is seen in en-face maps; {others}")
    wanted = dict.fromkeys(surface for need in needs for surface in SURFACES_FOR[need])
    if missing := [surface for surface in wanted if surface not in surfaces]:
        raise ConfigError(f"{setting}, which needs surfaces, but {who} has no {', '.join(missing)}; {others}")
    if "donors" in needs and not donors:
        raise ConfigError(
            f"{setting}, which needs healthy donor eyes, but none fits {who}: development eyes of the first class, of "
            f"another patient, on the same grid and with surfaces ILM to BM; {others}"
        )
