"""Names read from timm's files, against timm itself, and a refusal that does not import it."""

import subprocess
import sys

import timm
from timm.optim import list_optimizers

from octa_kedro.models.timm_names import asked_timm, timm_networks, timm_optimisers
from octa_kedro.training.engine.config import UNFIT, is_optimiser, optimiser_names

REFUSED = """
import sys
from pydantic import ValidationError
from octa_kedro.training.config import TrainingConfig
for wrong, near in (({"model": {"name": "resnet81", "spatial_dims": 2}, "slabs": ["ILM_OPL"]}, "resnet18"),
                    ({"model": {"name": "resnet18"}, "optimiser": {"name": "adamww"}}, "adamw")):
    try:
        TrainingConfig.model_validate(wrong)
    except ValidationError as error:
        assert near in str(error), error
    else:
        raise AssertionError(wrong)
print(*({"timm", "torch"} & sys.modules.keys()))
"""


def test_the_files_name_every_network():
    assert timm_networks() == set(timm.list_models()) | set(timm.models._registry._deprecated_models)


def test_optimisers_that_the_files_name_are_timms():
    assert asked_timm() == set(list_optimizers())
    assert timm_optimisers() <= asked_timm()


def test_every_optimiser_of_timm_is_taken_unless_it_is_unfit():
    unfit = {name for name in list_optimizers() if name.startswith(UNFIT)}
    assert {name for name in list_optimizers() if is_optimiser(name)} == set(list_optimizers()) - unfit
    assert not unfit & {*optimiser_names()}


def test_a_misspelt_name_is_refused_without_importing_timm():
    result = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr
