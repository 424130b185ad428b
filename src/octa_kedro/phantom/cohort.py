"""A phantom cohort to be written: its label sheet, and how each eye is made."""

from functools import partial

from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.io.release_writer import EyeRecipe, PhantomCohort
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye

CODE = (
    "octa_kedro.phantom",
    "octa_kedro.preprocessing.projection",
    *(f"octa_kedro.io.{name}" for name in ("release_writer", "release", "release_files", "surface_files")),
)


def cohort_recipes(config: PhantomConfig) -> PhantomCohort:
    """The eyes that `config` asks for, each under a key of all it depends on; none is made yet."""
    table, code = plan_cohort(config), code_fingerprint(*CODE)
    recipes = {}
    # Whoever makes an eye is told the disease that it has, never the label, which may be random.
    for row in table.assign(ID=table["ID"].astype(str), Disease=table["drawn"]).to_dict("records"):
        subject = {str(column): value for column, value in row.items()}
        key = recipe_key(step="phantom", settings=config.eye_settings(row["fov_mm"]), subject=subject, code=code)
        recipes[row["ID"]] = EyeRecipe(key, partial(make_eye, config, subject))
    return PhantomCohort(table, recipes, config.workers)
