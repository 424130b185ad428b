"""How results of eyes are made, and what a node asks to be made."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from octa_kedro.results.code import Code, code_of
from octa_kedro.results.config import ExecutionConfig, OnError
from octa_kedro.results.guard import each_eye
from octa_kedro.results.result import Result
from octa_kedro.results.stored import write_result

UNKNOWN = Code({}, {})
Make = Callable[[Sequence[str]], Mapping[str, Result]]


@dataclass(frozen=True)
class Recipe:
    """How the results of one eye are made.

    `make` is given the parts that are missing and returns a result for each of them; one that it leaves out is absent
    in this eye. It is sent to other processes. `ingredients` are all parts it can make, with a hash of what each is
    made of. `facts`, what later steps have to know of how the eye was made, go into the manifest. `code` is that of
    `make` and of what writes files, unless it is given. `unchanged`, if given, says whether what `make`
    reads is still what the recipe was written for, or raises where it cannot be read: then a failure is not remembered.
    """

    make: Make
    ingredients: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    code: Code = UNKNOWN
    unchanged: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        if self.code is UNKNOWN:
            object.__setattr__(self, "code", code_of(self.make, write_result))

    def name(self, part: str) -> str:
        """Of the files of a part, without a suffix."""
        return f"{self.ingredients[part]}-{self.code.digest}-{part}"


class Recipes(dict[str, Recipe]):
    """The recipe of each eye; `failed` tells why an eye that was asked for has none."""

    def __init__(self, recipes: Mapping[str, Recipe], failed: Mapping[str, str] | None = None) -> None:
        super().__init__(recipes)
        self.failed = dict(failed or {})


def write_recipes(eyes: Iterable[str], write: Callable[[str], Recipe], on_error: OnError) -> Recipes:
    """The recipe that `write` gives for each eye; one whose files cannot be read has none (`guard.put_aside`)."""
    written = each_eye(eyes, write, on_error)
    return Recipes(written.done, written.failed)


@dataclass(frozen=True)
class Job:
    """One part of the results of many eyes that is to be made; what a node returns and `ManifestDataset` saves.

    With `part` None all parts of each recipe are meant, each under a name of its own, ``<eye>-<part>``.
    `threads` each of the processes may use; with one, results do not depend on the number of cores, since the rounding
    of a sum depends on how many threads share it. None leaves it to the libraries. With `needed`, words on what to do,
    a result that cannot be made ends the run whatever `execution` says: others depend on it.
    """

    recipes: Mapping[str, Recipe]
    part: str | None
    execution: ExecutionConfig
    threads: int | None = 1
    needed: str | None = None

    @property
    def on_error(self) -> OnError:
        """What is done about an eye that cannot be worked on."""
        return "stop" if self.needed is not None else self.execution.on_error

    @property
    def failed(self) -> Mapping[str, str]:
        """Why eyes that were asked for have no recipe."""
        return self.recipes.failed if isinstance(self.recipes, Recipes) else {}

    def wanted(self) -> Iterator[tuple[str, Recipe, str]]:
        """Each eye with its recipe and part."""
        for eye, recipe in self.recipes.items():
            parts = recipe.ingredients if self.part is None else (self.part,)
            yield from ((eye, recipe, part) for part in parts)

    def name(self, eye: str, part: str) -> str:
        """Under which the manifest holds a result."""
        return f"{eye}-{part}" if self.part is None else eye


def jobs(recipes: Mapping[str, Recipe], parts: Iterable[str], execution: ExecutionConfig) -> tuple[Job, ...]:
    """A job for each of `parts`; whichever is saved first makes all parts of an eye together."""
    return tuple(Job(recipes, part, execution) for part in parts)
