"""Nodes that plan a phantom cohort (its eyes are rendered when they are written) and draw one eye of each disease."""

from functools import partial

from matplotlib.figure import Figure

from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.io.release_writer import EyeRecipe, PhantomCohort
from octa_kedro.phantom import PhantomConfig, make_eye, plan_cohort
from octa_kedro.phantom.gallery import phantom_gallery

CODE = (
    "octa_kedro.phantom",
    "octa_kedro.preprocessing.projection",
    *(f"octa_kedro.io.{name}" for name in ("release_writer", "release", "release_files", "layers")),
)


def plan_phantom(config: PhantomConfig) -> PhantomCohort:
    """Parameters -> label sheet and a recipe for every eye."""
    table, code = plan_cohort(config), code_fingerprint(*CODE)
    recipes = {}
    # Whoever makes an eye is told the disease that it has, never the label, which may be random.
    for row in table.assign(ID=table["ID"].astype(str), Disease=table["drawn"]).to_dict("records"):
        subject = {str(column): value for column, value in row.items()}
        key = recipe_key(step="phantom", settings=config.eye_settings(row["fov_mm"]), subject=subject, code=code)
        recipes[row["ID"]] = EyeRecipe(key, partial(make_eye, config, subject))
    return PhantomCohort(table, recipes, config.workers)


def draw_gallery(config: PhantomConfig) -> Figure:
    """Parameters -> one eye of each disease in one picture; none of them is in the cohort."""
    return phantom_gallery(config)
