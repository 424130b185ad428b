"""Small files of the program: what is damaged is never taken for what was written."""

from pathlib import Path

import pytest

from octa_kedro.errors import DataError
from octa_kedro.io import hashing
from octa_kedro.io.files import replacing
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.notes import read_note, recall_note, write_note
from tests.exchanging import exchange

CONTENT = {"file": "é.nii", "meta": {"seen": ["1", "2"], "spacing": 0.012}, "sha256": "a", "content": None}
DAMAGE = {
    "emptied": lambda text: "",
    "cut short": lambda text: text[: len(text) // 2],
    "one entry gone": lambda text: text.replace('"2"', '"3"'),
    "a number changed": lambda text: text.replace("0.012", "0.02"),
    "no hash": lambda text: "{}",
    "no mapping": lambda text: "[1, 2]",
    "no text": lambda text: "\udcff",
}


def test_a_note_is_read_as_it_was_written(tmp_path: Path):
    write_note(tmp_path / "new" / "a.json", CONTENT)
    assert read_note(tmp_path / "new" / "a.json") == recall_note(tmp_path / "new" / "a.json") == CONTENT
    assert recall_note(tmp_path / "none.json") is None


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_note_is_named_and_one_that_can_be_made_again_is_set_aside(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "a.json"
    write_note(path, CONTENT)
    damaged = DAMAGE[damage](path.read_text()).encode(errors="surrogateescape")
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.json: damaged .*delete it and run the pipeline that makes it again"):
        read_note(path)
    assert recall_note(path) is None
    assert (tmp_path / "a.json.damaged").read_bytes() == damaged
    assert "a.json: damaged" in caplog.text
    assert not path.exists()


def test_a_damaged_hash_that_is_remembered_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hashing, "SETTLED_SECONDS", -1)
    file, remembered = tmp_path / "scan.nii", tmp_path / "remembered"
    file.write_bytes(b"voxels")
    digest = hash_files([file], remembered)
    (note,) = remembered.iterdir()
    note.write_bytes(b"")
    assert hash_files([file], remembered) == digest != ""
    assert hash_files([file], remembered) == digest


def _write_half(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text("half")
        raise OSError("disk full")


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path):
    write_note(tmp_path / "a.json", CONTENT)
    with pytest.raises(OSError, match="full"):
        _write_half(tmp_path / "a.json")
    assert read_note(tmp_path / "a.json") == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_note_that_is_for_its_name_alone_is_not_taken_under_another(tmp_path: Path):
    for name in ("a.json", "b.json"):
        write_note(tmp_path / name, {"of": name}, named=True)
    exchange(tmp_path / "a.json", tmp_path / "b.json")
    with pytest.raises(DataError, match=r"a\.json: damaged \(it is b\.json under another name\)"):
        read_note(tmp_path / "a.json", named=True)
    assert recall_note(tmp_path / "b.json", named=True) is None
