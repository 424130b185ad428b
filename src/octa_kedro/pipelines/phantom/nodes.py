"""Node that plans a phantom cohort; its eyes are rendered when they are written."""

from functools import partial

from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.io.release_writer import EyeRecipe, PhantomCohort
from octa_kedro.phantom.cohort import make_eye, plan_cohort
from octa_kedro.phantom.config import PhantomConfig


def plan_phantom(config: PhantomConfig) -> PhantomCohort:
    """Parameters -> label sheet and a recipe for every eye."""
    table = plan_cohort(config)
    code = code_fingerprint("octa_kedro.phantom", "octa_kedro.io.release_writer")
    recipes = {}
    for row in table.astype({"ID": str}).to_dict("records"):
        subject = {str(column): value for column, value in row.items()}
        key = recipe_key(step="phantom", config=config, subject=subject, code=code)
        recipes[subject["ID"]] = EyeRecipe(key, partial(make_eye, config, subject))
    return PhantomCohort(table, recipes)
