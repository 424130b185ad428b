"""The source is edited between two runs: what the edit changes is made anew, and everything else stays in use.

After all edits the results in use are those that a project makes which begins with the edited source.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from octa_kedro.results.modules import PACKAGE, ROOT
from tests.kills.project import end_of
from tests.results.editing import Made, edit, kedro_run, made, project_with_source

pytestmark = pytest.mark.slow

TRAININGS = {"autoencoder", "3D training", "2D training"}
MAPS = {"3D maps", "2D maps"}
EYES = {"inspections", "volumes", "en-face maps"}


@dataclass(frozen=True)
class Edit:
    """One change of the source, and the kinds of result that it makes anew."""

    module: str
    old: str
    new: str
    anew: set[str]


EDITS = {
    "what a 2D network sees": Edit(
        "preprocessing.patches",
        "rows_down = parts.transpose(2, 0, 1, 3)[::-1]",
        "rows_down = 1 - parts.transpose(2, 0, 1, 3)[::-1]",
        TRAININGS | MAPS,
    ),
    "how en-face maps are cut": Edit(
        "training.data.patches",
        "array=np.stack(planes, axis=2)",
        "array=np.stack(planes, axis=2)[::-1].copy()",
        TRAININGS | MAPS,
    ),
    "a method of explanation": Edit(
        "explain.cams",
        "return _of_layers(GradCAM, request, image)",
        "return _of_layers(HiResCAM, request, image)",
        MAPS,
    ),
    "a metric that chooses no epoch": Edit(
        "evaluation.metrics", "sensitivity = _ratio(tp, tp + fn)", "sensitivity = _ratio(fn, tp + fn)", TRAININGS
    ),
    "resampling": Edit(
        "preprocessing.resampling",
        "        target[rows] = _times_last(_times_middle(part, middle), fast)\n    return out",
        "        target[rows] = _times_last(_times_middle(part, middle), fast)\n    return out[::-1].copy(order='F')",
        TRAININGS | MAPS | EYES,
    ),
    "a comment": Edit(
        "preprocessing.resampling", "    return out[::-1]", "    # Mirrored.\n    return out[::-1]", set()
    ),
}


@dataclass(frozen=True)
class Trial:
    """The project after all edits, and what was in use after each."""

    project: Path
    before: Made
    after: dict[str, Made]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    project = project_with_source(tmp_path_factory.mktemp("edited") / "project")
    kedro_run(project)
    before, after = made(project), {}
    for name, one in EDITS.items():
        edit(project, one.module, one.old, one.new)
        kedro_run(project)
        after[name] = made(project)
    return Trial(project, before, after)


@pytest.mark.parametrize("name", EDITS)
def test_what_an_edit_changes_is_made_anew_and_all_else_stays(name: str, trial: Trial):
    states = [trial.before, *trial.after.values()]
    number = [*EDITS].index(name)
    before, after = states[number : number + 2]
    assert {kind for kind in before if before[kind] != after[kind]} == EDITS[name].anew
    assert not {kind for kind in EDITS[name].anew if before[kind] & after[kind]}, "some were made anew, some were not"


def test_after_all_edits_nothing_is_in_use_that_the_edited_source_would_not_make(trial: Trial, tmp_path: Path):
    fresh = project_with_source(tmp_path / "fresh", trial.project / "src" / PACKAGE)
    kedro_run(fresh)
    # The seal of a history is of its bytes, the seconds of epochs among them.
    kept, wanted = ({n: h for n, h in end_of(p).items() if "history.csv.seal" not in n} for p in (trial.project, fresh))
    assert len(wanted) > 200
    assert [name for name, digest in wanted.items() if kept.get(name) != digest] == []


def test_edits_that_are_taken_back_find_what_was_made_before(trial: Trial):
    source = trial.project / "src" / PACKAGE
    shutil.rmtree(source)
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("__pycache__"))
    kedro_run(trial.project)
    again = made(trial.project)
    # Of trainings only the last is kept. They come to the same weights, so that maps are found again.
    assert {kind for kind in again if again[kind] != trial.before[kind]} == TRAININGS
