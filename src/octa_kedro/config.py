"""The base of every configuration model: frozen, and a misspelt key is an error that names the key."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError


class Config(BaseModel):
    """Parameters of one step, checked when a run starts; unknown keys and wrong types are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing a validation found, as ``key.subkey: what is wrong``, with a guess for a misspelt key."""
    found = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in found["loc"] if part != "[key]")
    if found["type"] != "extra_forbidden":
        given = "" if found["type"] in {"missing", "value_error"} else f" (got {found['input']!r})"
        message = found["msg"].removeprefix("Value error, ")
        # A check of several keys at once names the key itself.
        return f"{where}: {message}{given}" if where else message
    known = _fields_at(model, found["loc"][:-1])
    near = get_close_matches(str(found["loc"][-1]), known, n=1)
    guess = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{where}: unknown parameter, {guess}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that `location` leads to."""
    current: Any = model
    for part in location:
        if isinstance(part, int) or part not in current.model_fields:
            continue  # an index, or the key of a mapping
        annotation = current.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        current = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
        if current is None:
            return []
    return list(current.model_fields)
