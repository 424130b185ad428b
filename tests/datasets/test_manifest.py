"""Versions of per-eye results: manifests over content-addressed files."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError, Version

from octa_kedro.datasets.manifest import ManifestDataset
from octa_kedro.errors import DataError
from octa_kedro.io.notes import read_note
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.code import Code
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.result import Result

CODE = Code({"octa_kedro.preprocessing.eye": "1"}, {"numpy": "2.0"})


ONE = ExecutionConfig(workers=1)


def eye(value: float) -> Volume:
    return Volume(np.full((3, 4, 5), value, np.float32), np.eye(4), "OCTA", "OS", "source")


def job(**made: tuple[str, Volume | PlaneStack | Callable[[], Volume]]) -> Job:
    """One result for each eye, by its key and what it is or what gives it."""

    def recipe(key: str, item: Volume | PlaneStack | Callable[[], Volume]) -> Recipe:
        return Recipe(
            lambda _parts: {"volume": Result(item() if callable(item) else item, unit=True)}, {"volume": key}, code=CODE
        )

    return Job({name: recipe(*one) for name, one in made.items()}, "volume", ONE)


def dataset(root: Path, load: str | None = None, save: str | None = None) -> ManifestDataset:
    return ManifestDataset(filepath=(root / "m" / "manifest.json").as_posix(), version=Version(load, save))


def never() -> Volume:
    raise AssertionError("made again")


def test_each_version_loads_its_own_volumes(tmp_path: Path):
    dataset(tmp_path, save="v1").save(job(a=("k1", eye(0.25)), b=("k2", eye(0.5))))
    dataset(tmp_path, save="v2").save(job(a=("k3", eye(0.75)), b=("k2", never)))
    first, second = dataset(tmp_path, load="v1").load(), dataset(tmp_path, load="v2").load()
    assert first["a"]().array[0, 0, 0] == pytest.approx(0.25, abs=1e-5)
    assert second["a"]().array[0, 0, 0] == pytest.approx(0.75, abs=1e-5)
    assert first["b"].path == second["b"].path
    assert len(list((tmp_path / "m" / "files").glob("*.nii"))) == 3


def test_everything_but_voxels_comes_back_too(tmp_path: Path):
    planes = PlaneStack(np.zeros((3, 4, 2), np.float32), np.eye(4), ("a", "b"), "OD", "s", "estimated")
    dataset(tmp_path).save(job(v=("1", eye(0.5)), p=("2", planes)))
    loaded = dataset(tmp_path).load()
    assert (loaded["v"]().modality, loaded["v"]().laterality, loaded["v"]().source) == ("OCTA", "OS", "source")
    assert (loaded["p"]().names, loaded["p"]().note) == (("a", "b"), "estimated")


def test_an_interrupted_save_leaves_no_version_and_continues(tmp_path: Path):
    def stop() -> Volume:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset(tmp_path, save="v1").save(job(a=("k1", eye(0.25)), b=("k2", stop)))
    assert not dataset(tmp_path).exists()
    dataset(tmp_path, save="v2").save(job(a=("k1", never), b=("k2", eye(0.5))))
    assert list(dataset(tmp_path).load()) == ["a", "b"]


def test_a_half_written_file_is_made_again(tmp_path: Path):
    files = tmp_path / "m" / "files"
    files.mkdir(parents=True)
    (files / f"k1-{CODE.digest}-volume.nii").write_bytes(b"half")
    dataset(tmp_path).save(job(a=("k1", eye(0.25))))
    assert dataset(tmp_path).load()["a"]().array.shape == (3, 4, 5)


def test_changed_and_missing_files_are_named(tmp_path: Path):
    dataset(tmp_path).save(job(a=("k1", eye(0.25))))
    stored = dataset(tmp_path).load()["a"]
    content = bytearray(stored.path.read_bytes())
    content[-1] ^= 255
    time.sleep(0.01)
    stored.path.write_bytes(content)
    with pytest.raises(DataError, match=r"k1-.*-volume\.nii: its bytes have changed"):
        stored()
    stored.path.unlink()
    with pytest.raises(DatasetError, match=r"k1-.*-volume\.nii: named by a manifest but gone"):
        dataset(tmp_path).load()


def test_an_empty_set_is_a_version_too(tmp_path: Path):
    dataset(tmp_path, save="v1").save(job())
    assert dataset(tmp_path).load() == {}


def test_manifests_are_small_and_readable(tmp_path: Path):
    dataset(tmp_path, save="v1").save(job(a=("k1", eye(0.25))))
    manifest = read_note(tmp_path / "m" / "manifest.json" / "v1" / "manifest.json")
    assert manifest["a"]["file"] == f"k1-{CODE.digest}-volume.nii"
    assert len(manifest["a"]["sha256"]) == 64


def test_the_log_names_the_version_that_holds_what_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    first = job(a=("k1", eye(0.25)))
    for version in ("v1", "v2"):
        dataset(tmp_path, save=version).save(first)
    edited = Code({"octa_kedro.preprocessing.eye": "2"}, CODE.libraries)
    recipe = replace(first.recipes["a"], code=edited)
    dataset(tmp_path, save="v3").save(replace(first, recipes={"a": recipe}))
    (line,) = caplog.messages
    assert "m: 1 of 1 results are made anew, because code has changed" in line
    assert "preprocessing.eye" in line
    assert line.endswith("--load-versions m:v2")
    assert dataset(tmp_path, load="v2").load()["a"].path != dataset(tmp_path, load="v3").load()["a"].path


def test_files_to_take_away_are_named_by_eye_and_share_their_bytes(tmp_path: Path):
    named = ManifestDataset(filepath=str(tmp_path / "m/manifest.json"), named="map", version=Version(None, "v1"))
    named.save(job(a=("key", eye(0.5))))
    file = tmp_path / "m/v1/a_map.nii"
    assert file.samefile(named.load()["a"].path)
    assert not file.is_symlink()


def test_a_damaged_file_is_not_given_away_under_the_name_of_its_eye(tmp_path: Path):
    def maps(version: str) -> ManifestDataset:
        place = (tmp_path / "m" / "manifest.json").as_posix()
        return ManifestDataset(filepath=place, compress=True, named="map", version=Version(None, version))

    maps("v1").save(job(a=("k1", eye(0.25))))
    (stored,) = (tmp_path / "m" / "files").glob("*.nii.gz")
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"nii.gz: its bytes have changed since it was written"):
        maps("v2").save(job(a=("k1", never)))
    assert not (tmp_path / "m" / "v2").exists()
