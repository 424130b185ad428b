"""The checker of pages finds what is broken and leaves alone what is not."""

import subprocess
from pathlib import Path

import pytest
from tools.check_pages import anchors, check_page, link_fault, long_lines, main, named_paths, repository_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of two pages and a module."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name, text in {
        "README.md": "# A title\n\n[more](docs/more.md#part-one)\n",
        "docs/more.md": "# More\n\n## Part one\n\n## Part one\n",
        "src/octa_kedro/io/volume.py": "",
        "conf/base/catalog.yml": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def faults(root: Path, text: str) -> list[str]:
    (root / "docs/page.md").write_text(text)
    return [*check_page(root, "docs/page.md", repository_files(root))]


def test_a_sound_repository_has_no_fault(root: Path):
    assert main(root) == 0


def test_a_link_to_a_missing_file_is_told_with_its_place(root: Path, capsys: pytest.CaptureFixture[str]):
    (root / "README.md").write_text("one\n\n[two](docs/none.md)\n")
    assert main(root) == 1
    assert capsys.readouterr().err == "README.md:3: the link docs/none.md leads to no file\n"


@pytest.mark.parametrize("target", ["more.md", "more.md#part-one-1", "../README.md#a-title", "https://none.example"])
def test_a_good_link_has_no_fault(root: Path, target: str):
    assert not link_fault(root, "docs/page.md", target)


@pytest.mark.parametrize("target", ["README.md", "more.md#part-two", "#nowhere", "../src/octa_kedro/io/volume.py#x"])
def test_a_bad_link_has_one(root: Path, target: str):
    assert faults(root, f"# Page\n\n[here]({target})\n")


def test_a_picture_is_a_link_too(root: Path):
    assert faults(root, "![eyes](images/none.png)\n") == ["docs/page.md:1: the link images/none.png leads to no file"]


def test_links_in_a_table_are_checked(root: Path):
    assert faults(root, "| a | b |\n|---|---|\n| 1 | [x](none.md) |\n")


def test_anchors_are_those_of_github(tmp_path: Path):
    (tmp_path / "page.md").write_text("# What `--env` does, and why\n\n## Step 2: go\n")
    assert anchors(tmp_path / "page.md") == {"what---env-does-and-why", "step-2-go"}


@pytest.mark.parametrize("path", ["conf/base/none.yml", "io/none.py", "src/octa_kedro/none/", "tools/none.py"])
def test_a_path_that_is_not_there_is_told(root: Path, path: str):
    assert faults(root, f"see `{path}`\n") == [f"docs/page.md:1: `{path}` is not in the repository"]


def test_a_path_in_a_command_is_checked(root: Path):
    assert faults(root, "```sh\npython conf/none.py --out /tmp/out\n```\n")


@pytest.mark.parametrize("path", ["conf/base/catalog.yml", "io/volume.py", "more.md", "data/08_reporting", "OD/OS"])
def test_a_path_that_is_there_or_no_path_is_not_told(root: Path, path: str):
    assert not faults(root, f"see `{path}`\n")


def test_a_pattern_is_no_path():
    assert named_paths("conf/<env>/x.yml conf/*/x.yml src/{a,b}/c.py") == []


def test_long_lines_are_told_except_tables_and_addresses(root: Path):
    (root / "docs/page.md").write_text(f"{'word ' * 30}\n| {'cell ' * 30}|\n<https://{'a' * 130}>\n")
    (root / "conf/base/catalog.yml").write_text(f"# {'word ' * 30}\n")
    (root / "src/octa_kedro/io/volume.py").write_text(f"{'a' * 110}  # type: ignore[arg-type]\n")
    assert [fault.split(": ")[0] for fault in long_lines(root, repository_files(root))] == [
        "conf/base/catalog.yml:1",
        "docs/page.md:1",
    ]
