"""Changes of meaning in code that no key holds: what it gives to the making of a result has to be in the key itself.

Of all changes every `EVERY`-th is tried, beginning at one that depends on the maker; OCTA_MUTANTS_EVERY=1 tries all,
which takes hours.
"""

import logging
import os
import random
from collections.abc import Iterator
from itertools import islice

import pytest

from tests.pipelines.conftest import PHANTOM, new_project, run
from tests.results.mutants import Maker, Mutant, kept_makers, mutants
from tests.results.tracing import Ran, recording

pytestmark = pytest.mark.slow

MAKERS = (
    *("inspect_eyes", "choose_references", "process_eyes", "convert_volumes"),
    *("explain_model", "value_slabs", "explain_at_random", "place_over_scans", "read_eyes"),
)
EVERY = int(os.environ.get("OCTA_MUTANTS_EVERY", "25"))
REGISTERED = {"processing": {"registration": {"method": "affine", "min_overlap": 0.3}, "flatten": "BM"}}


@pytest.fixture(scope="module")
def makers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Maker]:
    """Each node that asks for results, with what it was given on the tiny mission."""
    with pytest.MonkeyPatch.context() as patch:
        makers = kept_makers(patch)
        project = new_project(tmp_path_factory.mktemp("mutants"))
        run(project, pipeline_names=["phantom"])
        run(project, pipeline_names=["data_processing"], params=REGISTERED)
        run(project)
        run(project, pipeline_names=["conversion"])
        run(project, pipeline_names=["inference"], params={"source": {"path": str(project / PHANTOM)}})
    return makers


def test_every_node_that_asks_for_results_is_tried(makers: dict[str, Maker]):
    assert makers.keys() == set(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_what_a_maker_is_given_is_in_the_key(name: str, makers: dict[str, Maker]):
    maker, tried = makers[name], 0
    ran, before = Ran(), maker.given()
    with recording(ran):
        ran.keys = [recipe.code for recipe in maker.recipes().values()]
    assert maker.given() == before
    logging.disable(logging.CRITICAL)
    try:
        for mutant in islice(_of(ran), random.Random(name).randrange(EVERY), None, EVERY):
            tried += 1
            assert not (stale := _stale(maker, mutant, before)), f"{mutant.change}, line {mutant.line}: {stale[:3]}"
    finally:
        logging.disable(logging.NOTSET)
    assert tried > 2


def _of(ran: Ran) -> Iterator[Mutant]:
    """Mutants of all that ran and is in no key."""
    for module, names in sorted(ran.unnoticed().items()):
        for name in sorted(name for name in names if "<" not in name):
            yield from mutants(module, name)


def _stale(maker: Maker, mutant: Mutant, before: dict[tuple[str, str, str], tuple[str, str]]) -> list[str]:
    """Files that would be used though another thing is asked for."""
    try:
        with mutant.alive():
            after = maker.given()
    except Exception:  # noqa: BLE001 - whatever is raised, there is no result, so none that is wrong
        return []
    named = {key: (before[key], after[key]) for key in before.keys() & after.keys()}
    return [old[0] for old, new in named.values() if old[0] == new[0] and old[1] != new[1]]
