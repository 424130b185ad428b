"""The plan of a phantom cohort: its label sheet, and a recipe for each eye."""

import logging
from functools import partial
from pathlib import Path

from octa_kedro.io.release_writer import EyeRecipe, PhantomCohort, recorded_code, recorded_keys, write_release
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.results.changes import code_changes
from octa_kedro.results.code import Code, code_of
from octa_kedro.results.keys import hash_of

log = logging.getLogger(__name__)


def cohort_recipes(config: PhantomConfig) -> PhantomCohort:
    """Recipes for the eyes of `config`, each with a key (a hash of all that the eye depends on). No eye is made yet."""
    table, code = plan_cohort(config), code_of(make_eye, write_release)
    recipes = {}
    # An eye is made from its true disease, never from its label, which may be random.
    for row in table.assign(ID=table["ID"].astype(str), Disease=table["drawn"]).to_dict("records"):
        subject = {str(column): value for column, value in row.items()}
        key = hash_of(step="phantom", settings=config.eye_settings(row["fov_mm"]), subject=subject)
        recipes[row["ID"]] = EyeRecipe(f"{key}-{code.digest}", partial(make_eye, config, subject))
    return PhantomCohort(table, recipes, config.workers, code.to_json())


def tell_changed_code(root: Path, cohort: PhantomCohort) -> None:
    """Say in the log which code has changed since eyes of `cohort` were written below `root`; nothing if none has."""
    before, old = recorded_keys(root), recorded_code(root)
    wanted = {eye: recipe.key for eye, recipe in cohort.recipes.items()}
    changed = [eye for eye, key in wanted.items() if eye in before and _same_but_code(before[eye], key)]
    if changed:
        what = code_changes(old, Code(**cohort.code)) if old and cohort.code else "in what way is not known"
        log.warning(
            "phantom: %d of %d eyes are rendered anew, because code has changed since they were written: %s. To keep "
            "the earlier ones, stop this run, copy %s and read the copy with --params source.path=FOLDER",
            len(changed),
            len(wanted),
            what,
            root,
        )


def _same_but_code(old: str, new: str) -> bool:
    return old != new and old.partition("-")[0] == new.partition("-")[0]
