"""Check the project's pages: links, anchors, the paths they name, and the length of lines in every text file.

    python tools/check_pages.py

Nothing is fetched from the network: addresses that begin with a scheme (https:) are left alone.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
LIMIT = 120
MADE_BY_PROGRAMS = {"requirements.lock", "LICENSE"}
NOT_TEXT = {".png", ".svg", ".ipynb", ".npz", ".gz", ".nii"}
PACKAGE = "src/octa_kedro"
# What a run or a user writes, so that no fresh clone has it.
WRITTEN_LATER = ("data/", "conf/local/")
PATH = re.compile(r"\.?[\w-][\w.-]*(?:/[\w.-]+)+/?")
PRAGMA = re.compile(r"\s+# (type: ignore|noqa)\S*.*$")
SOURCE_FILE = re.compile(r".*\.(py|md|yml|toml|ipynb|cff)")


def main(root: Path = ROOT) -> int:
    """Write every fault of the repository `root` to the standard error; 1 if there is any, else 0."""
    files = repository_files(root)
    faults = [*long_lines(root, files)]
    for page in (name for name in files if name.endswith(".md")):
        faults += check_page(root, page, files)
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def repository_files(root: Path) -> set[str]:
    """Paths of all files of the repository that git does not ignore and that exist, relative to `root`."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.split("\0") if name and (root / name).is_file()}


def long_lines(root: Path, files: set[str]) -> Iterator[str]:
    """A fault for every line of more than 120 columns, except rows of tables and lines with a long address; a word
    for a linter at the end of a line does not count."""
    for name in sorted(files):
        if Path(name).name in MADE_BY_PROGRAMS or Path(name).suffix in NOT_TEXT:
            continue
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), start=1):
            if len(PRAGMA.sub("", line)) <= LIMIT or (name.endswith(".md") and _may_be_long(line)):
                continue
            yield f"{name}:{number}: {len(line)} columns, at most {LIMIT} are allowed"


def _may_be_long(line: str) -> bool:
    """A row of a table, or a line with one word that no line could hold (an address)."""
    return line.lstrip().startswith("|") or max(map(len, line.split())) > LIMIT - 20


def check_page(root: Path, page: str, files: set[str]) -> Iterator[str]:
    """A fault for every link of the Markdown file `page` that leads nowhere, and for every path it names that is
    not in the repository."""
    for token in _tokens(root / page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if isinstance(target, str) and (fault := link_fault(root, page, target)):
                yield f"{page}:{_line(token)}: {fault}"
        for code in _codes(token):
            for path in named_paths(code):
                if not _is_there(root, page, path, files):
                    yield f"{page}:{_line(token)}: `{path}` is not in the repository"


def link_fault(root: Path, page: str, target: str) -> str:
    """What is wrong with the link `target` of `page`; empty if it leads somewhere or is an outside address."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return ""
    path, _, anchor = unquote(target).partition("#")
    file = (root / page).parent / path if path else root / page
    if not file.exists():
        return f"the link {target} leads to no file"
    if anchor and (file.suffix != ".md" or anchor not in anchors(file)):
        return f"the link {target} leads to no heading"
    return ""


@cache
def anchors(file: Path) -> frozenset[str]:
    """The anchors that GitHub gives to the headings of a Markdown file."""
    tokens = _tokens(file)
    titles = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    seen: Counter[str] = Counter()
    found = set()
    for title in titles:
        slug = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


def named_paths(code: str) -> list[str]:
    """The words of `code` that look like files or folders of the repository; not patterns such as ``fold_<n>/x``."""
    words = (word.strip("\"'(),;:") for word in code.split())
    return [word for word in words if PATH.fullmatch(word) and not word.startswith(WRITTEN_LATER)]


def _is_there(root: Path, page: str, path: str, files: set[str]) -> bool:
    """Whether a named path is there, from the root, the package or the page's folder; words that only happen to have
    a slash, such as ``OD/OS``, count as there."""
    tops = {name.split("/")[0] for name in files if "/" in name}
    if path.split("/", 1)[0] not in tops and not SOURCE_FILE.fullmatch(path):
        return True
    return any((root / base / path).exists() for base in ("", PACKAGE, Path(page).parent))


def _codes(token: Token) -> list[str]:
    if token.type in {"fence", "code_block"}:
        return [token.content]
    return [child.content for child in token.children or () if child.type == "code_inline"]


@cache
def _tokens(file: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(file.read_text(encoding="utf-8"))


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


if __name__ == "__main__":
    sys.exit(main())
