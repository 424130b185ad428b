"""What the log says of trainings and phantom eyes that are made anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from octa_kedro.io.notes import write_note
from octa_kedro.io.release_writer import RECORDS, PhantomCohort
from octa_kedro.phantom.cohort import cohort_recipes, tell_changed_code
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.results.changes import code_changes, tell_retrained
from octa_kedro.results.code import Code
from octa_kedro.results.keys import Key

OLD = Code({"octa_kedro.models.vgg": "1", "octa_kedro.io.nifti": "1"}, {"torch": "2.14"})
NEW = Code({"octa_kedro.models.vgg": "2", "octa_kedro.io.nifti": "1"}, {"torch": "2.15"})


def left(folder: Path, key: Key, saved_as: str | None = None) -> None:
    """What an earlier training leaves."""
    (folder / key.name).mkdir()
    about = {"training": "3D fold 1", "saved_as": saved_as} | key.to_json()
    write_note(folder / key.name / "about.json", about)


@pytest.mark.parametrize("saved_as", ["training_3d.fold_1.checkpoint:2026-01-02T03.04.05.678Z", None])
def test_a_training_tells_what_keeps_it_from_going_on(
    tmp_path: Path, saved_as: str | None, caplog: pytest.LogCaptureFixture
):
    left(tmp_path, Key("start", OLD), saved_as)
    tell_retrained(tmp_path, "about.json", Key("start", NEW), "3D fold 1")
    (line,) = caplog.messages
    assert line.startswith("3D fold 1: is trained from the start")
    assert "models.vgg, torch 2.14 -> 2.15" in line
    assert line.endswith(f"--load-versions {saved_as or 'MODEL.fold_N.checkpoint:VERSION'}")


@pytest.mark.parametrize("key", [Key("start", OLD), Key("other data", NEW)])
def test_a_training_says_nothing_if_it_is_another_one_or_goes_on(tmp_path: Path, key: Key, caplog):
    left(tmp_path, Key("start", OLD))
    (tmp_path / "of_an_older_release").mkdir()
    write_note(tmp_path / "of_an_older_release" / "about.json", {"training": "3D fold 1"})
    tell_retrained(tmp_path, "about.json", key, "3D fold 1")
    assert caplog.messages == []


def test_of_many_modules_some_are_named():
    assert code_changes(Code({f"m{i}": "1" for i in range(7)}, {}).to_json(), Code({}, {})).endswith("m4 and 2 more")
    assert code_changes(OLD.to_json(), OLD) == ""


def written(root: Path, cohort: PhantomCohort) -> None:
    (root / RECORDS).mkdir()
    write_note(root / RECORDS / ".code", {"code": cohort.code}, named=True)
    for eye, recipe in cohort.recipes.items():
        write_note(root / RECORDS / f"{eye}.json", {"key": recipe.key, "field": "OCTA_3mm"}, named=True)


def test_phantom_eyes_that_are_rendered_anew_are_told_of(tmp_path: Path, monkeypatch, caplog):
    config = PhantomConfig(subjects={"NORMAL": 2, "DR": 1})
    old = cohort_recipes(config)
    written(tmp_path, old)
    tell_changed_code(tmp_path, old)
    assert caplog.messages == []
    code = Code(**old.code)
    edited = replace(code, modules={**code.modules, "octa_kedro.phantom.vessels": "edited"})
    monkeypatch.setattr("octa_kedro.phantom.cohort.code_of", lambda *_: edited)
    tell_changed_code(tmp_path, cohort_recipes(config))
    (line,) = caplog.messages
    assert "3 of 3 eyes are rendered anew" in line
    assert "written: phantom.vessels." in line
    tell_changed_code(tmp_path, cohort_recipes(config.model_copy(update={"seed": config.seed + 1})))
    assert len(caplog.messages) == 1  # other eyes, not other code
