"""Figures in the catalog."""

import weakref
from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Node
from matplotlib.figure import Figure

from octa_kedro.datasets.figure import COLLECT_EVERY, FigureDataset
from octa_kedro.errors import DataError
from octa_kedro.io.seals import Made
from octa_kedro.running.evidence import EvidenceHooks


class Cycle:
    """As a figure of matplotlib, it holds itself: only the garbage collector frees it."""

    def __init__(self) -> None:
        self.own = self


class Lazy:
    """Draws when it is saved, and notes how many earlier drawings are still in memory."""

    def __init__(self, alive: weakref.WeakSet, most: list[int]) -> None:
        self.alive, self.most = alive, most

    def savefig(self, fname: Path, **_options: str) -> None:
        self.alive.add(Cycle())
        self.most.append(len(self.alive))
        fname.write_bytes(b"picture")


def test_few_drawings_are_in_memory_at_a_time(tmp_path: Path):
    alive, most = weakref.WeakSet(), []
    FigureDataset(filepath=str(tmp_path / "many")).save({f"{k}.png": Lazy(alive, most) for k in range(50)})
    assert max(most) <= COLLECT_EVERY
    assert len(list((tmp_path / "many").iterdir())) == 50


def test_a_page_is_told_where_the_pictures_lie_even_if_there_are_none(tmp_path: Path):
    figures = FigureDataset(filepath=str(tmp_path / "none"))
    figures.save({})
    assert figures.load() == tmp_path / "none"
    assert figures.load().is_dir()


def test_a_seal_is_the_same_whoever_writes_and_one_picture_put_in_the_place_of_another_is_refused(tmp_path: Path):
    seals = []
    for name in ("one", "two"):
        figure = FigureDataset(filepath=str(tmp_path / name / "roc.png"))
        figure.save(Lazy(weakref.WeakSet(), []))
        assert figure.load().read_bytes() == b"picture"
        seals.append(figure.load().with_name("roc.png.seal.json").read_text())
    assert seals[0] == seals[1]
    (tmp_path / "two/roc.png").write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"roc.png: its content has changed since it was written"):
        figure.load()


def test_pictures_of_two_folders_are_not_swapped(tmp_path: Path):
    class Named:
        def __init__(self, words: bytes) -> None:
            self.words = words

        def savefig(self, fname: Path, **_options: str) -> None:
            fname.write_bytes(self.words)

    figures = FigureDataset(filepath=str(tmp_path / "many"))
    figures.save({"DR/e1.png": Named(b"one"), "CNV/e1.png": Named(b"two")})
    (tmp_path / "many/DR/e1.png").write_bytes(b"two")
    (tmp_path / "many/CNV/e1.png").write_bytes(b"one")
    with pytest.raises(DatasetError, match=r"many: its content has changed"):
        figures.load()


def test_a_page_is_not_made_of_pictures_of_other_maps(tmp_path: Path):
    def drawn_from(sha: str) -> FigureDataset:
        figures = FigureDataset(filepath=str(tmp_path / "drawn"))
        figures.made_from = {"maps": sha}
        return figures

    drawn_from("old").save({})
    with pytest.raises(DataError, match="figures was made from maps old, but this step reads new"):
        read_with(drawn_from("old"), "new")
    read_with(drawn_from("old"), "old")


def read_with(figures: FigureDataset, sha: str) -> None:
    maps = FigureDataset(filepath="maps")
    figures.load()
    maps.made = Made(sha)
    node = Node(lambda *_: 1, ["figures", "maps"], "page", name="report")
    EvidenceHooks().before_node_run(node, DataCatalog({"figures": figures, "maps": maps, "page": MemoryDataset()}))


class Twice:
    """Drawn in two formats."""

    def savefig(self, fname: Path, **options: object) -> None:
        fname.write_bytes(str(options["format"]).encode())


def test_an_svg_lies_beside_the_png_under_one_seal(tmp_path: Path):
    figure = FigureDataset(filepath=str(tmp_path / "roc.png"), vector=True)
    figure.save(Twice())
    assert {path.name: path.read_text() for path in tmp_path.glob("roc.[ps]*g")} == {"roc.png": "png", "roc.svg": "svg"}
    assert figure.load() == tmp_path / "roc.png"
    assert FigureDataset(filepath=str(tmp_path / "roc.png")).load() == tmp_path / "roc.png"
    (tmp_path / "roc.svg").write_text("another")
    with pytest.raises(DatasetError, match=r"roc.png: its content has changed"):
        figure.load()
    (tmp_path / "roc.svg").unlink()
    with pytest.raises(DatasetError, match=r"roc.svg: gone"):
        figure.load()


def test_of_two_formats_none_is_left_if_one_fails(tmp_path: Path):
    class Half(Twice):
        def savefig(self, fname: Path, **options: object) -> None:
            if options["format"] == "svg":
                raise OSError("no space left")
            super().savefig(fname, **options)

    with pytest.raises(DatasetError, match="no space left"):
        FigureDataset(filepath=str(tmp_path / "roc.png"), vector=True).save(Half())
    assert list(tmp_path.iterdir()) == []


def test_the_same_figure_gives_the_same_svg(tmp_path: Path):
    contents = []
    for name in ("one", "two"):
        figure = Figure()
        figure.subplots().fill_between([0, 1], [0, 1], color="blue")
        FigureDataset(filepath=str(tmp_path / name / "roc.png"), vector=True).save(figure)
        contents.append((tmp_path / name / "roc.svg").read_bytes())
    assert contents[0] == contents[1]
