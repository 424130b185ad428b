"""The drawing of the architecture follows the import contracts."""

from pathlib import Path

import pytest
from tools.draw_architecture import DRAWING, draw, layers, main, read_contracts, summary

PYPROJECT = """
[[tool.importlinter.contracts]]
name = "Down only"
type = "layers"
layers = ["toy.wiring", "toy.left : toy.right"]

[[tool.importlinter.contracts]]
name = "Plain files"
type = "forbidden"
source_modules = ["toy.left"]
forbidden_modules = ["torch", "timm"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A package of three modules with two contracts."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "src/toy/left").mkdir(parents=True)
    (tmp_path / "src/toy/wiring.py").write_text('"""Who calls whom."""\n')
    (tmp_path / "src/toy/left/__init__.py").write_text('"""Files & arrays\nof all kinds. And more."""\n')
    (tmp_path / "src/toy/right.py").write_text('"""Numbers."""\n')
    return tmp_path


def test_layers_keep_their_order_and_their_neighbours(root: Path):
    assert layers(read_contracts(root)) == [["toy.wiring"], ["toy.left", "toy.right"]]


def test_a_box_shows_the_first_sentence_of_a_docstring(root: Path):
    assert summary(root, "toy.left") == "Files & arrays of all kinds"
    assert ">Files &amp; arrays of all kinds<" in draw(root)


def test_a_forbidden_library_is_a_badge_on_the_packages_it_is_forbidden_to(root: Path):
    assert draw(root).count(">no torch<") == 1


def test_a_fresh_drawing_passes_and_an_outdated_one_fails(root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--check"], root) == 1
    main([], root)
    assert main(["--check"], root) == 0
    (root / "src/toy/right.py").write_text('"""Letters."""\n')
    assert main(["--check"], root) == 1
    assert DRAWING in capsys.readouterr().err


def test_the_stored_drawing_is_up_to_date():
    assert main(["--check"]) == 0
