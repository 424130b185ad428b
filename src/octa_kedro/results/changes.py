"""What the log says when stored results are not used, or were made with other libraries: one line for each dataset."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from octa_kedro.io.notes import recall_note, write_note
from octa_kedro.results.code import Code
from octa_kedro.results.keys import Key
from octa_kedro.results.modules import PACKAGE
from octa_kedro.results.recipe import Recipe

log = logging.getLogger(__name__)

SHOWN = 5
"""Changed modules or libraries that are named, of more than these."""
CARD = ".json"
VersionOf = Callable[[set[str]], str | None]


def no_version(_names: set[str]) -> str | None:
    """Where results have no versions in the catalog."""
    return None


def remember_code(folder: Path, codes: Iterable[Code]) -> None:
    """Keep what each of `codes` is made of in a folder of results, for later comparison."""
    for digest, code in {code.digest: code for code in codes}.items():
        if not (path := _code_file(folder, digest)).is_file():
            write_note(path, code.to_json(), named=True)


def _code_file(folder: Path, digest: str) -> Path:
    return folder / f"code-{digest}.json"


def tell_changed_code(
    what: str, missing: Collection[tuple[Recipe, str]], total: int, folder: Path, version_of: VersionOf
) -> None:
    """Say which code has changed since some of the `missing` results of dataset `what`, `total` in all, were stored in
    `folder`; nothing if none of them was.

    `version_of` finds the newest version of the dataset that names one of some results (names without suffix).
    """
    earlier = _earlier(missing, folder)
    if not earlier:
        return
    digest = max({digest for one in earlier.values() for digest in one}, key=lambda digest: _age(folder, digest))
    names = {name for one in earlier.values() for name in one.values()}
    code = next(iter(missing))[0].code
    log.warning(
        "%s: %d of %d results are made anew, because code has changed since they were stored: %s. The earlier ones "
        "stay; later steps go on with them by --load-versions %s:%s",
        what,
        len(earlier),
        total,
        changed_modules(_recall(folder, digest).get("modules"), code.modules),
        what,
        version_of(names) or "VERSION",
    )


def _earlier(missing: Collection[tuple[Recipe, str]], folder: Path) -> dict[str, dict[str, str]]:
    """By the name of a missing result: the names of results of the same ingredients, by their code's digest."""
    if not missing or not folder.is_dir():
        return {}
    stored: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for path in folder.glob(f"*{CARD}"):
        ingredients, _, rest = path.name.removesuffix(CARD).partition("-")
        digest, _, part = rest.partition("-")
        stored[ingredients, part][digest] = path.name.removesuffix(CARD)
    found = {recipe.name(part): stored.get((recipe.ingredients[part], part), {}) for recipe, part in missing}
    return {name: others for name, same in found.items() if (others := _others(same, name))}


def _others(same: Mapping[str, str], name: str) -> dict[str, str]:
    """Without the missing one itself, whose card may be there though its file is gone."""
    return {digest: other for digest, other in same.items() if other != name}


def _age(folder: Path, digest: str) -> float:
    path = _code_file(folder, digest)
    return path.stat().st_mtime if path.is_file() else 0.0


def _recall(folder: Path, digest: str) -> dict[str, Any]:
    return recall_note(_code_file(folder, digest), named=True) or {}


def tell_other_libraries(what: str, reused: Iterable[tuple[Mapping[str, str], Code]], folder: Path) -> None:
    """Say which libraries had other versions when results of dataset `what` that are used again were stored in `folder`
    (their libraries, and the code that would make them now)."""
    changes = [found for old, code in reused if (found := changed_libraries(old, code.libraries))]
    if changes:
        log.warning(
            "%s: %d results were made with other versions of libraries (%s) and are used as they are; to make them "
            "anew, delete them in %s",
            what,
            len(changes),
            "; ".join(sorted(set(changes))[:SHOWN]),
            folder,
        )


def tell_retrained(folder: Path, about: str, key: Key, title: str) -> None:
    """Say why a training cannot go on with what an earlier one left in a folder below `folder`.

    Each training's folder holds a file `about` with what `Key.to_json` gives, and in ``saved_as`` the dataset and
    version to which its run saved the weights; folders of the same ingredients count.
    """
    paths = sorted(folder.glob(f"*/{about}"), key=lambda path: path.stat().st_mtime)
    known = [note for path in paths if (note := recall_note(path)) is not None]
    same = [one for one in known if one.get("ingredients") == key.ingredients]
    if not same or key.code.to_json() in [one["code"] for one in same]:
        return
    log.warning(
        "%s: is trained from the start, because this has changed since it was trained before: %s. If that training had "
        "ended, later steps can use its weights with --load-versions %s",
        title,
        code_changes(same[-1]["code"], key.code),
        same[-1].get("saved_as") or "MODEL.fold_N.checkpoint:VERSION",
    )


def code_changes(old: Mapping[str, Mapping[str, str]], new: Code) -> str:
    """Modules and libraries that differ from those that `Code.to_json` gave once; nothing if all are the same."""
    modules = changed_modules(old["modules"], new.modules)
    libraries = changed_libraries(old["libraries"], new.libraries)
    return ", ".join(changed for changed in (modules, libraries) if changed)


def changed_modules(old: Mapping[str, str] | None, new: Mapping[str, str]) -> str:
    """The modules whose code differs, as they are named in the log."""
    if old is None:
        return "in what way is not known"
    differing = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return _shown([name.removeprefix(f"{PACKAGE}.") for name in differing])


def changed_libraries(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The libraries whose version differs, as they are named in the log."""
    names = sorted(old.keys() | new.keys())
    return _shown([f"{n} {old.get(n, 'none')} -> {new.get(n, 'none')}" for n in names if old.get(n) != new.get(n)])


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
