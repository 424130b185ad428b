"""Which parameters of a run differ from the base environment's, and which place has set each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octa_kedro.configuration.config_loader import LOCAL, ConfigLoader, flatten
from octa_kedro.configuration.run_parameters import FILE, ParametersFile

COMMAND_LINE = "--params"
NOT_SET = "not set"
LONG = 80  # characters beyond which values would hide the rest of a line


@dataclass(frozen=True)
class Layer:
    """What one place says: parameters by dotted name.

    `asked` is said for this run alone; `shared` is a place that serves every environment.
    """

    place: str
    values: dict[str, Any]
    asked: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Difference:
    """A parameter whose `value` is not the `base` environment's, and the layer that has set it."""

    name: str
    base: Any
    value: Any
    layer: Layer

    @property
    def size(self) -> float:
        """How large the change is: of numbers relative to the larger one, up to 2; 1 of anything else, and 0 of what
        the base does not have."""
        if self.base == NOT_SET:
            return 0.0
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (self.base, self.value)):
            return 1.0
        return abs(self.value - self.base) / max(abs(self.value), abs(self.base))

    def __str__(self) -> str:
        if self.base == NOT_SET:
            return f"{self.name} {shown(self.value)}, which the base does not set ({self.layer.place})"
        now, before = shown(self.value), shown(self.base)
        change = f"{now}, not {before}" if len(now + before) <= LONG else "changed"
        return f"{self.name} {change} ({self.layer.place})"


def layers_of(loader: ConfigLoader, file: ParametersFile | None) -> list[Layer]:
    """The places that a run's parameters come from beside the base environment, the nearest to the user first."""
    beside = loader.runtime_params if file is None else file.beside
    found = [Layer(COMMAND_LINE, flatten({key: value for key, value in beside.items() if key != FILE}), asked=True)]
    if file is not None:
        own = {name: value for name, value in flatten(file.joined).items() if name not in found[0].values}
        found.append(Layer(str(file.path), own, asked=True))
    folders = [name for name in reversed(loader.folders) if name != loader.base_env]
    shown = (Layer(f"conf/{name}", flatten(loader.layer(name, "parameters")), shared=name == LOCAL) for name in folders)
    return [*found, *shown]


def differences(parameters: Mapping[str, Any], base: Mapping[str, Any], layers: Sequence[Layer]) -> list[Difference]:
    """All parameters that differ from the base environment's: those of the nearest place first (the order of
    `layers`), and of one place those that have changed most (`Difference.size`)."""
    now, before = flatten(parameters), flatten(base)
    found: dict[str, tuple[int, Difference]] = {}
    for rank, layer in enumerate(layers):
        for name in layer.values:
            if name in now and name not in found and now[name] != before.get(name, NOT_SET):
                found[name] = rank, Difference(name, before.get(name, NOT_SET), now[name], layer)
    return [one for _, one in sorted(found.values(), key=lambda pair: (pair[0], -pair[1].size, pair[1].name))]


def shown(value: Any) -> str:
    """A value as a line of the log shows it."""
    return "null" if value is None else str(value)
