"""Writing a phantom: whole eyes only, continued after an interruption, and never over a real release."""

from dataclasses import replace
from pathlib import Path

import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.release_writer import EyeRecipe, PhantomCohort, write_release


def times(root: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in root.rglob("*.bmp")}


def test_a_second_run_writes_no_eye(release_copy: Path, phantom_cohort: PhantomCohort):
    before = times(release_copy)
    write_release(release_copy, phantom_cohort.table, phantom_cohort.recipes)
    assert times(release_copy) == before


def test_an_interrupted_run_is_not_a_release_and_continues(tmp_path: Path, phantom_cohort: PhantomCohort):
    subjects = list(phantom_cohort.recipes)

    def stop() -> None:
        raise KeyboardInterrupt

    broken = phantom_cohort.recipes | {subjects[2]: EyeRecipe("key", stop)}
    with pytest.raises(KeyboardInterrupt):
        write_release(tmp_path, phantom_cohort.table, broken)
    with pytest.raises(DataError, match="Text labels"):
        Octa500Release(tmp_path).labels()
    first = times(tmp_path)
    write_release(tmp_path, phantom_cohort.table, phantom_cohort.recipes)
    after = times(tmp_path)
    assert first.items() <= after.items()
    assert Octa500Release(tmp_path).subjects() == sorted(subjects)


def test_a_half_written_eye_is_made_again(release_copy: Path, phantom_cohort: PhantomCohort):
    subject = next(iter(phantom_cohort.recipes))
    (release_copy / ".written" / f"{subject}.json").unlink()
    path = next(release_copy.glob(f"OCTA_*/OCTA/{subject}")) / "3.bmp"
    whole = path.read_bytes()
    path.write_bytes(b"half")
    write_release(release_copy, phantom_cohort.table, phantom_cohort.recipes)
    assert path.read_bytes() == whole


def test_a_smaller_cohort_removes_the_others(release_copy: Path, phantom_cohort: PhantomCohort):
    kept = dict(list(phantom_cohort.recipes.items())[:5])
    table = phantom_cohort.table[phantom_cohort.table["ID"].astype(str).isin(kept)]
    write_release(release_copy, table, kept)
    release = Octa500Release(release_copy)
    assert release.subjects() == sorted(kept) == sorted(release.labels()["subject"])


def test_changed_recipes_are_made_again(release_copy: Path, phantom_cohort: PhantomCohort):
    subject, recipe = next(iter(phantom_cohort.recipes.items()))
    other = EyeRecipe("another", lambda: replace(recipe.make(), octa=recipe.make().octa // 2))
    write_release(release_copy, phantom_cohort.table, phantom_cohort.recipes | {subject: other})
    assert (Octa500Release(release_copy).volume(subject, "OCTA").array == recipe.make().octa // 2).all()


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path, phantom_cohort: PhantomCohort):
    (tmp_path / "OCTA_3mm").mkdir()
    with pytest.raises(DataError, match="holds files that are not a phantom"):
        write_release(tmp_path, phantom_cohort.table, phantom_cohort.recipes)
