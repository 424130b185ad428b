"""Keys: hashes of everything that a result depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from octa_kedro.errors import ConfigError
from octa_kedro.results.code import Code


def hash_of(**ingredients: Any) -> str:
    """Hash of named ingredients: anything JSON can hold, and configurations (pydantic models) by all their fields."""
    plain = {name: _plain(value) for name, value in ingredients.items()}
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=20).hexdigest()


def without(config: BaseModel, exceptions: Mapping[str, str]) -> dict[str, Any]:
    """A whole configuration but for the fields that `exceptions` names, each with the reason why it changes no result.

    ConfigError if one of them is no field of it: then it would no longer be an exception, or it is misspelt.
    """
    if unknown := exceptions.keys() - type(config).model_fields.keys():
        raise ConfigError(f"{type(config).__name__} has no field {', '.join(sorted(unknown))}; correct the exceptions")
    return config.model_dump(mode="json", exclude=set(exceptions))


@dataclass(frozen=True)
class Key:
    """Names what is made from `ingredients` (their hash) by `code` with exactly its versions of libraries."""

    ingredients: str
    code: Code

    @property
    def name(self) -> str:
        """One hash of all of it."""
        return hash_of(ingredients=self.ingredients, code=self.code.digest, libraries=dict(self.code.libraries))

    def to_json(self) -> dict[str, Any]:
        """As it is kept beside the result, to tell later what has changed."""
        return {"ingredients": self.ingredients, "code": self.code.to_json()}


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
