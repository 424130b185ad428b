"""The links of an HTML file."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in {"href", "src"} and not value.startswith("data:")]


def links_of(page: Path) -> list[str]:
    """Addresses that the page leads to or loads, but for data that stand in it."""
    parser = _Links()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def target(page: Path, link: str) -> Path:
    """The file that a relative link of a page means."""
    return page.parent / unquote(link.partition("#")[0])
