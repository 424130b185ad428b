"""Hashes of files, read again only when something has changed."""

import os
from pathlib import Path

import pytest

from octa_kedro.io import hashing
from octa_kedro.io.hashing import hash_files
from tests.exchanging import exchange


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("1.bmp", "2.bmp")]
    for path in paths:
        path.write_bytes(path.name.encode() * 10)
    return paths


def test_remembered_hashes_are_those_of_the_bytes(files: list[Path], tmp_path: Path):
    notes = tmp_path / "notes"
    assert hash_files(files, notes) == hash_files(files, notes) == hash_files(files)


def no_hash(paths: list[Path]) -> str:
    pytest.fail("read again")


def test_unchanged_files_are_not_read_again(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hashing, "SETTLED_SECONDS", -1)
    first = hash_files(files, tmp_path / "notes")
    monkeypatch.setattr(hashing, "_hash_bytes", no_hash)
    assert hash_files(files, tmp_path / "notes") == first


@pytest.mark.parametrize("change", ["bytes", "bytes, but not their number or time", "time", "order"])
def test_a_change_is_seen(files: list[Path], tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hashing, "SETTLED_SECONDS", -1)
    notes = tmp_path / "notes"
    first = hash_files(files, notes)
    if change.endswith("time") and change != "time":
        before = files[0].stat()
        files[0].write_bytes(files[0].read_bytes()[::-1])
        os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
        assert hash_files(files, notes) != first
    elif change == "bytes":
        files[0].write_bytes(b"longer than it was before, by far")
        assert hash_files(files, notes) != first
    elif change == "time":
        # the same bytes at another time: read again, and found to be the same
        os.utime(files[0], ns=(1, 1))
        read = []
        whole = hashing._hash_bytes
        monkeypatch.setattr(hashing, "_hash_bytes", lambda paths: read.append(1) or whole(paths))
        assert hash_files(files, notes) == first
        assert read
    else:
        assert hash_files(files[::-1], notes) != first


def test_nothing_is_remembered_of_files_that_were_changed_a_moment_ago(files: list[Path], tmp_path: Path):
    hash_files(files, tmp_path / "notes")
    assert not (tmp_path / "notes").exists()


def test_remembered_hashes_that_were_exchanged_are_made_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hashing, "SETTLED_SECONDS", -1)
    notes = tmp_path / "notes"
    own = [hash_files([file], notes) for file in files]
    one, other = notes.iterdir()
    exchange(one, other)
    assert [hash_files([file], notes) for file in files] == own
