"""Files named by eye beside the content-addressed ones."""

import gzip
from pathlib import Path

import pytest

from octa_kedro.results.named import place_named


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "3f2a.nii"
    path.parent.mkdir()
    path.write_bytes(b"voxels" * 100)
    return path


def test_a_named_file_shares_its_bytes_and_replaces_an_old_one(stored: Path, tmp_path: Path):
    target = tmp_path / "named" / "eye_map.nii"
    target.parent.mkdir()
    target.write_bytes(b"old")
    place_named(stored, target)
    assert target.samefile(stored)
    assert [path.name for path in target.parent.iterdir()] == ["eye_map.nii"]


def test_without_links_it_is_a_copy(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    place_named(stored, tmp_path / "eye_map.nii")
    assert (tmp_path / "eye_map.nii").read_bytes() == stored.read_bytes()
    assert not (tmp_path / "eye_map.nii").samefile(stored)


def test_a_plain_file_is_compressed_to_the_same_bytes_each_time(stored: Path, tmp_path: Path):
    targets = [tmp_path / f"{name}.nii.gz" for name in "ab"]
    for target in targets:
        place_named(stored, target)
    assert gzip.decompress(targets[0].read_bytes()) == stored.read_bytes()
    assert targets[0].read_bytes() == targets[1].read_bytes()
