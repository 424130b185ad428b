"""Writing a phantom: whole eyes only, by any number of processes, continued after an interruption, and never over
a real release."""

import fcntl
import hashlib
import os
import signal
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import ConfigError, DataError, OctaError
from octa_kedro.io.release import SURFACES, Octa500Release
from octa_kedro.io.release_format import enface_picture
from octa_kedro.io.release_writer import EyeRecipe, PhantomCohort, write_release

SUBJECTS = ("10001", "10002", "10003", "10301", "10302", "10303")
X, Y, Z = 14, 12, 11


def tiny_eye(number: int, salt: int = 0) -> SimpleNamespace:
    """The smallest eye that can be written; its bytes follow from its number and its salt."""
    rng, width = np.random.default_rng([number, salt]), 3.0 if number > 10300 else 6.0
    octa = rng.integers(0, 85, (X, Y, Z), np.uint8)
    return SimpleNamespace(
        oct=rng.integers(0, 255, (X, Y, Z), np.uint8),
        octa=octa,
        lesion=rng.integers(0, 8, (X, Y, Z), np.uint8),
        surfaces=np.sort(rng.integers(0, Z, (len(SURFACES), X, Y)), axis=0).astype(np.float32),
        projections={"OCTA(ILM_OPL)": octa.mean(axis=2, dtype=np.float32)},
        extent_mm=(width, width, 2.0),
        laterality="OD",
    )


def interrupt(number: int) -> SimpleNamespace:
    raise KeyboardInterrupt


def next_run(root: Path, number: int) -> SimpleNamespace:
    (root / ".written" / ".lock").write_text("the next run's name")
    return tiny_eye(number)


def fail(number: int) -> SimpleNamespace:
    raise ValueError(f"no capillaries for {number}")


def fail_by_the_users_fault(number: int) -> SimpleNamespace:
    raise ConfigError("anatomy.inner_um: too thin")


def die(number: int) -> SimpleNamespace:
    os.kill(os.getpid(), signal.SIGKILL)
    return tiny_eye(number)


def broken_eye(number: int) -> SimpleNamespace:
    """Fails when half of it has been written."""
    eye = tiny_eye(number, salt=9)
    del eye.projections
    return eye


@pytest.fixture
def cohort() -> PhantomCohort:
    n = len(SUBJECTS)
    table = pd.DataFrame(
        {
            "ID": [int(subject) for subject in SUBJECTS],
            "Sex": "F",
            "OS/OD": "OD",
            "Age": range(40, 40 + n),
            "Disease": ["NORMAL", "DR"] * (n // 2),
            "drawn": ["DR", "NORMAL"] * (n // 2),
            "severity": np.linspace(0, 1, n),
            "quality": "good",
        }
    )
    return PhantomCohort(table, {subject: EyeRecipe("key", partial(tiny_eye, int(subject))) for subject in SUBJECTS})


def write(root: Path, cohort: PhantomCohort, changes: dict | None = None, workers: int = 1) -> None:
    write_release(root, cohort.table, {**cohort.recipes, **(changes or {})}, workers=workers)


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def times(root: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in root.rglob("*.bmp")}


def finished(root: Path) -> set[str]:
    return {path.stem for path in root.glob(".written/[!.]*.json")}


@pytest.fixture
def root(tmp_path: Path, cohort: PhantomCohort) -> Path:
    write(tmp_path / "root", cohort)
    return tmp_path / "root"


def test_what_is_written_is_read_again(root: Path, cohort: PhantomCohort):
    release = Octa500Release(root)
    assert release.subjects() == sorted(SUBJECTS)
    assert dict(release.labels()[["subject", "disease"]].to_numpy()) == dict(
        zip(SUBJECTS, cohort.table["Disease"], strict=True)
    )
    for subject in ("10002", "10301"):
        eye = tiny_eye(int(subject))
        assert (release.volume(subject, "OCT").array == eye.oct).all()
        assert (release.volume(subject, "OCTA").array == eye.octa).all()
        assert release.volume(subject, "OCTA").affine[0, 0] == pytest.approx(eye.extent_mm[0] / X)
        mask, layers = release.lesion(subject), release.surfaces(subject)
        assert mask is not None
        assert mask.array.dtype == np.uint8
        assert (np.asarray(mask.array) == eye.lesion).all()
        assert layers is not None
        np.testing.assert_allclose(layers.array, eye.surfaces.transpose(1, 2, 0) * 2 / Z + layers.affine[2, 3])


def test_the_truth_lies_beside_the_labels(root: Path, cohort: PhantomCohort):
    truth = pd.read_csv(root / "Label" / "phantom_truth.csv")
    pd.testing.assert_frame_equal(truth, cohort.table[["ID", "drawn", "severity", "quality"]], check_dtype=False)


def test_same_bytes_at_any_time_and_for_any_number_of_processes(root: Path, tmp_path: Path, cohort: PhantomCohort):
    time.sleep(2.1)  # zip archives count in steps of two seconds
    for workers in (1, 2):
        write(tmp_path / str(workers), cohort, workers=workers)
        assert digests(tmp_path / str(workers)) == digests(root)
    assert {Path(name).suffix for name in digests(root)} == {".bmp", ".mat", ".gz", ".json", ".xlsx", ".csv", ""}


def test_a_parameter_at_fault_stays_an_error_of_its_kind(tmp_path: Path, cohort: PhantomCohort):
    with pytest.raises(ConfigError, match=r"eye 10303: anatomy\.inner_um: too thin"):
        write(tmp_path, cohort, {"10303": EyeRecipe("key", partial(fail_by_the_users_fault, 7))}, workers=2)
    assert finished(tmp_path) <= set(SUBJECTS) - {"10303"}


def test_a_second_run_writes_no_eye(root: Path, cohort: PhantomCohort):
    before = times(root)
    write(root, cohort, workers=2)
    assert times(root) == before


def test_an_interrupted_run_is_not_a_release_and_continues(tmp_path: Path, cohort: PhantomCohort):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, cohort, {SUBJECTS[2]: EyeRecipe("key", partial(interrupt, 3))})
    assert finished(tmp_path) == set(SUBJECTS[:2])
    with pytest.raises(DataError):
        Octa500Release(tmp_path).labels()
    kept = {path: at for path, at in times(tmp_path).items() if {path.stem, path.parent.name} & finished(tmp_path)}
    write(tmp_path, cohort)
    assert kept.items() <= times(tmp_path).items()
    assert Octa500Release(tmp_path).subjects() == sorted(SUBJECTS)


def test_a_killed_process_leaves_what_was_finished(tmp_path: Path, root: Path, cohort: PhantomCohort):
    with pytest.raises(OctaError, match=r"killed.*phantom\.workers"):
        write(tmp_path / "killed", cohort, {SUBJECTS[-1]: EyeRecipe("key", partial(die, 0))}, workers=2)
    assert SUBJECTS[-1] not in finished(tmp_path / "killed")
    write(tmp_path / "killed", cohort)
    assert digests(tmp_path / "killed") == digests(root)


def test_two_runs_do_not_write_at_once(root: Path, cohort: PhantomCohort):
    with (root / ".written" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(OctaError, match="another run is still writing"):
            write(root, cohort)
    write(root, cohort)


def test_a_process_that_outlives_its_run_writes_nothing_in_the_next(tmp_path: Path, cohort: PhantomCohort):
    with pytest.raises(OctaError, match="another run has begun"):
        write(tmp_path, cohort, {"10002": EyeRecipe("key", partial(next_run, tmp_path, 10002))})
    assert finished(tmp_path) == {"10001", "10002"}


def test_an_eye_that_cannot_be_made_is_named_and_the_finished_ones_stay(tmp_path: Path, cohort: PhantomCohort):
    with pytest.raises(RuntimeError, match="eye 10303: ValueError: no capillaries for 7"):
        write(tmp_path, cohort, {"10303": EyeRecipe("key", partial(fail, 7))})
    assert finished(tmp_path) == set(SUBJECTS) - {"10303"}


def test_a_half_written_eye_is_made_again(tmp_path: Path, root: Path, cohort: PhantomCohort):
    with pytest.raises(RuntimeError, match=r"eye 10003: AttributeError: .*projections"):
        write(tmp_path / "half", cohort, {"10003": EyeRecipe("key", partial(broken_eye, 10003))})
    assert (tmp_path / "half" / "OCTA_6mm" / "OCT" / "10003").is_dir()
    write(tmp_path / "half", cohort)
    assert digests(tmp_path / "half") == digests(root)


def test_a_half_written_eye_of_another_cohort_is_removed(tmp_path: Path, root: Path, cohort: PhantomCohort):
    with pytest.raises(RuntimeError):
        write(tmp_path / "half", cohort, {"10222": EyeRecipe("key", partial(broken_eye, 10222))})
    write(tmp_path / "half", cohort)
    assert digests(tmp_path / "half") == digests(root)


def test_a_smaller_cohort_removes_the_others(root: Path, cohort: PhantomCohort):
    kept = dict(list(cohort.recipes.items())[:4])
    table = cohort.table[cohort.table["ID"].astype(str).isin(kept)]
    write_release(root, table, kept, workers=1)
    release = Octa500Release(root)
    assert release.subjects() == sorted(kept) == sorted(release.labels()["subject"])
    assert not any("10303" in name for name in digests(root))


def test_only_changed_recipes_are_made_again(root: Path, cohort: PhantomCohort):
    before = digests(root)
    write(root, cohort, {"10301": EyeRecipe("another", partial(tiny_eye, 10301, 1))})
    assert (Octa500Release(root).volume("10301", "OCTA").array == tiny_eye(10301, 1).octa).all()
    changed = {name for name, digest in digests(root).items() if digest != before[name]}
    assert changed
    assert all("10301" in name for name in changed)


def test_new_labels_change_the_sheets_and_no_eye(root: Path, cohort: PhantomCohort):
    before = times(root)
    write(root, PhantomCohort(cohort.table.assign(Disease="CSC"), cohort.recipes))
    assert set(Octa500Release(root).labels()["disease"]) == {"CSC"}
    assert times(root) == before


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path, cohort: PhantomCohort):
    (tmp_path / "OCTA_3mm").mkdir()
    with pytest.raises(DataError, match="holds files that are not a phantom"):
        write(tmp_path, cohort)


def test_a_picture_has_superior_at_the_top_and_saturates_one_pixel_in_a_hundred():
    plane = np.arange(200 * 50, dtype=np.float32).reshape(200, 50)
    picture = enface_picture(plane)
    assert picture.shape == (50, 200)
    assert picture.dtype == np.uint8
    assert picture[0, -1] == 255
    assert picture[-1, 0] == 0
    assert (picture == 255).mean() == pytest.approx(0.01, abs=0.005)
    assert (enface_picture(np.zeros((4, 4), np.float32)) == 0).all()
