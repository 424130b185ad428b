import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import Frame
from octa_kedro.viewer import page
from octa_kedro.viewer.config import ViewerConfig
from octa_kedro.viewer.eye import ViewedEye
from tests.viewer.eyes import left_eye, small_eye


@pytest.fixture(autouse=True)
def _no_package(monkeypatch):
    monkeypatch.setattr(page, "niivue_script", lambda: "globalThis.Niivue = class {};")


def about(folder: Path) -> dict:
    return json.loads((folder / "eyes.js").read_text().removeprefix("window.VIEWER = ").rstrip(";\n"))


def test_the_page_is_complete_and_asks_nothing_of_a_network(tmp_path):
    index = page.write_viewer(tmp_path / "viewer", [small_eye("a"), small_eye("b")], findings={5: "neovascular"})
    assert index == tmp_path / "viewer" / "index.html"
    files = {path.relative_to(index.parent).as_posix() for path in index.parent.rglob("*") if path.is_file()}
    assert files == {*page.TEMPLATE, "eyes.js", "back.js", "niivue.js", "eyes/0001.js", "eyes/0002.js"}
    for name in page.TEMPLATE:
        assert "http" not in (index.parent / name).read_text()
    assert about(index.parent)["findings"] == {"5": "neovascular"}


def test_the_table_has_what_is_known_and_the_scale_of_all_eyes(tmp_path):
    weak = small_eye("b", held_out=False, spread=0.1, scores={"peak_in_slab": np.float64("nan"), "hit": np.True_})
    weak = ViewedEye(**{**vars(weak), "heat": weak.heat.with_array(weak.heat.array / 2)})
    page.write_viewer(tmp_path / "viewer", [small_eye("a"), weak], ViewerConfig(opacity=0.4))
    found = about(tmp_path / "viewer")
    first, second = found["eyes"]
    assert (second["held_out"], second["spread"]) == (False, 0.1)
    assert second["scores"] == {"peak_in_slab": None, "hit": True}
    assert found["strongest"] == first["strongest"] == pytest.approx(2 * second["strongest"])
    assert found["settings"]["opacity"] == 0.4


@pytest.mark.parametrize(("mirrored", "ends"), [(True, ["T", "N"]), (False, ["N", "T"])])
def test_the_ends_of_x_follow_the_mirroring(tmp_path, mirrored: bool, ends: list[str]):
    page.write_viewer(tmp_path / "viewer", [left_eye(mirrored=mirrored)])
    assert about(tmp_path / "viewer")["eyes"][0]["ends"] == ends


def test_what_no_affine_holds_is_said_beside_the_millimetres(tmp_path):
    eye = small_eye()
    frame = Frame(note="position without flattening; restore_to_scan is exact")
    page.write_viewer(tmp_path / "viewer", [replace(eye, heat=replace(eye.heat, frame=frame))])
    assert about(tmp_path / "viewer")["eyes"][0]["place_note"] == "without flattening"


def test_a_viewer_is_given_a_link_back(tmp_path):
    index = page.write_viewer(tmp_path / "a b" / "viewer", [small_eye()])
    back = index.parent / "back.js"
    assert back.read_text() == "window.EXPLANATION = null;\n"
    page.link_back(index, tmp_path / "results.html")
    assert back.read_text() == 'window.EXPLANATION = "../../results.html";\n'
    page.link_back(index, tmp_path / "a b" / "c d.html")
    assert back.read_text() == 'window.EXPLANATION = "../c%20d.html";\n'


def test_a_viewer_without_a_place_for_the_link_stays_as_it_is(tmp_path):
    (tmp_path / "index.html").touch()
    page.link_back(tmp_path / "index.html", tmp_path / "results.html")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_no_text_of_a_table_becomes_a_script(tmp_path):
    page.write_viewer(tmp_path / "viewer", [small_eye('a");alert(1);("', label="</script>")])
    assert about(tmp_path / "viewer")["eyes"][0]["label"] == "</script>"
    assert (tmp_path / "viewer/eyes/0001.js").read_text().startswith('window.receiveEye("a\\");alert(1);(\\"", {')


def test_a_failure_leaves_the_earlier_page_as_it_was(tmp_path):
    page.write_viewer(tmp_path / "viewer", [small_eye("a")])

    def broken() -> Iterator[ViewedEye]:
        yield small_eye("b")
        raise DataError("gone")

    with pytest.raises(DataError, match="gone"):
        page.write_viewer(tmp_path / "viewer", broken())
    assert [eye["subject"] for eye in about(tmp_path / "viewer")["eyes"]] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["viewer"]


def test_a_page_replaces_an_earlier_one(tmp_path):
    page.write_viewer(tmp_path / "viewer", [small_eye("a"), small_eye("b")])
    page.write_viewer(tmp_path / "viewer", [small_eye("c")])
    assert not (tmp_path / "viewer/eyes/0002.js").exists()


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="is no viewer"):
        page.write_viewer(tmp_path, [small_eye()])
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(("eyes", "said"), [([], "no eye"), (["a", "a"], "comes twice")])
def test_what_cannot_be_listed_is_refused(tmp_path, eyes, said):
    with pytest.raises(DataError, match=said):
        page.write_viewer(tmp_path / "viewer", map(small_eye, eyes))
