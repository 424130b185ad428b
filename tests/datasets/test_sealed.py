"""Tables, texts and plain data in the catalog: whole versions only, under a seal that every load checks."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError, Version

from octa_kedro.datasets.plain import JSONDataset, TextDataset
from octa_kedro.datasets.sealed import SealedDataset
from octa_kedro.datasets.table import TableDataset
from octa_kedro.errors import DataError, user_error
from octa_kedro.io import files
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.io.seals import seal_of

TABLE = pd.DataFrame({"subject": ["007", "NA", "=1+1"], "probability": [0.25, 1 / 3, 0.875]})
CASES = [(TableDataset, "p.csv", TABLE), (TextDataset, "t.txt", "eins\r\nzwei ü"), (JSONDataset, "j.json", {"a": [1]})]


def dataset(folder: Path, save: str = "v1", load: str | None = None, kind: type = TableDataset, name: str = "p.csv"):
    return kind(filepath=(folder / name).as_posix(), version=Version(load, save))


def same(one: Any, other: Any) -> bool:
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


def cause(load: Callable[[], Any]) -> str:
    with pytest.raises(Exception, match=r"\S") as caught:
        load()
    error = user_error(caught.value)
    assert isinstance(error, DataError)
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize(("kind", "name", "data"), CASES)
def test_each_version_comes_back(tmp_path: Path, kind: type[SealedDataset], name: str, data: Any):
    dataset(tmp_path, "v1", kind=kind, name=name).save(data)
    dataset(tmp_path, "v2", kind=kind, name=name).save(data[:1] if not isinstance(data, dict) else {})
    assert same(dataset(tmp_path, load="v1", kind=kind, name=name).load(), data)
    assert not same(dataset(tmp_path, kind=kind, name=name).load(), data)
    assert dataset(tmp_path, kind=kind, name=name).list_versions(full_path=False) == ["v2", "v1"]


DAMAGES = {
    "emptied": lambda content: b"",
    "cut inside its last number": lambda content: content[:-3],
    "the truth as probabilities": lambda content: content.replace(b"0.25", b"1.0"),
    "without its last row": lambda content: b"\n".join(content.split(b"\n")[:-2]) + b"\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_table_that_was_changed_is_refused_by_name(tmp_path: Path, damage: str):
    dataset(tmp_path).save(TABLE)
    path = tmp_path / "p.csv" / "v1" / "p.csv"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    words = cause(dataset(tmp_path).load)
    assert words.startswith(f"{path}: its content has changed since it was written")
    assert f"delete {path.parent} and run the pipeline that makes it again" in words


def test_a_table_without_a_seal_is_refused(tmp_path: Path):
    dataset(tmp_path).save(TABLE)
    path = tmp_path / "p.csv" / "v1" / "p.csv"
    seal_of(path).unlink()
    assert "p.csv: made by an earlier version of this program, or copied without" in cause(dataset(tmp_path).load)


def test_a_seal_that_was_changed_is_refused(tmp_path: Path):
    dataset(tmp_path).save(TABLE)
    seal = seal_of(tmp_path / "p.csv" / "v1" / "p.csv")
    seal.write_text(seal.read_text().replace("made_from", "made_of"))
    assert f"{seal}: damaged (its content has changed" in cause(dataset(tmp_path).load)


@pytest.mark.parametrize(("kind", "name", "data"), CASES)
def test_a_full_disk_leaves_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[SealedDataset], name: str, data: Any
):
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    dataset(tmp_path, "v1", kind=kind, name=name).save(data)
    monkeypatch.setattr(files, "flush", full)
    with pytest.raises(Exception, match="No space left"):
        dataset(tmp_path, "v2", kind=kind, name=name).save(data)
    assert not [path for path in (tmp_path / name / "v2").glob("*") if path.is_file()]
    assert same(dataset(tmp_path, kind=kind, name=name).load(), data)


def test_a_version_that_was_never_completed_is_skipped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    dataset(tmp_path, "v1").save(TABLE)
    (tmp_path / "p.csv" / "v2").mkdir()
    write_note(seal_of(tmp_path / "p.csv" / "v2" / "p.csv"), {"sha256": ""})  # killed before the table came
    assert dataset(tmp_path).load().equals(TABLE)
    assert "p.csv/v2: not complete" in caplog.text
    assert "v1 is the newest version" in caplog.text


def test_what_a_table_was_made_from_stands_in_its_seal(tmp_path: Path):
    kept = dataset(tmp_path)
    kept.made_from = {"splits": "abc"}
    kept.save(TABLE)
    assert read_note(seal_of(tmp_path / "p.csv" / "v1" / "p.csv"), named=True)["made_from"] == {"splits": "abc"}
    loaded = dataset(tmp_path)
    assert loaded.load().head(1).attrs["made"].made_from == {"splits": "abc"}
    assert loaded.version_with(loaded.made.sha256) == "v1"
    assert loaded.version_with("of nothing") == ""


def test_kedro_viz_shows_tables_and_data(tmp_path: Path):
    dataset(tmp_path).save(TABLE)
    dataset(tmp_path, kind=JSONDataset, name="j.json").save({"a": 1})
    table, data = dataset(tmp_path), dataset(tmp_path, kind=JSONDataset, name="j.json")
    assert table.preview(2)["data"] == [["007", 0.25], ["NA", 1 / 3]]
    assert data.preview() == '{"a": 1}'
    shown = [inspect.signature(one.preview).return_annotation.__name__ for one in (table, data)]
    assert shown == ["TablePreview", "JSONPreview"]


UNFAITHFUL = {
    "two columns of one name": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "numbers among texts": pd.DataFrame({"a": [1, "x"]}),
    "truth values among numbers": pd.DataFrame({"a": [True, 1]}, dtype=object),
    "dates": pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}),
    "a column without a name": pd.DataFrame({"": [1]}),
    "lists": pd.DataFrame({"a": [[1, 2]]}),
}
FAITHFUL = {
    "missing texts": pd.DataFrame({"a": ["x", None, ""]}),
    "missing whole numbers": pd.DataFrame({"a": pd.array([2, None], "Int64")}),
    "single precision": pd.DataFrame({"a": np.float32([0.1, 1 / 3])}),
    "more digits than a double has": pd.DataFrame({"a": [2**62 + 1]}),
    "classes": pd.DataFrame({"a": pd.Categorical(["01", "b"])}),
    "truth values, one missing": pd.DataFrame({"a": [True, None]}, dtype=object),
    "no rows": pd.DataFrame({"a": [], "b": []}),
    "nothing": pd.DataFrame(),
}


@pytest.mark.parametrize("kind", UNFAITHFUL)
def test_a_table_that_would_come_back_otherwise_is_not_saved(tmp_path: Path, kind: str):
    with pytest.raises(DatasetError) as caught:
        dataset(tmp_path).save(UNFAITHFUL[kind])
    assert isinstance(caught.value.__cause__, TypeError)
    assert not list(tmp_path.rglob("*.csv*"))


@pytest.mark.parametrize("kind", FAITHFUL)
def test_a_table_that_comes_back_is_saved(tmp_path: Path, kind: str):
    dataset(tmp_path).save(FAITHFUL[kind])
    assert len(dataset(tmp_path).load()) == len(FAITHFUL[kind])


def test_names_that_are_no_texts_are_not_saved_as_json(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"j\.json"):
        dataset(tmp_path, kind=JSONDataset, name="j.json").save({"a": [{1: "one", "1": "one"}]})
