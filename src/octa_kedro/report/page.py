"""A page of results as one HTML file: no script, picture or style lies outside it."""

import base64
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from octa_kedro.io.files import relative_link, replacing
from octa_kedro.report.sections import Conclusions, Link, Picture, Section
from octa_kedro.viewer.page import link_back

log = logging.getLogger(__name__)

TEMPLATE = "page.html"
PICTURE_WIDTH, QUALITY = 900, 88
"""Pixels, and quality as JPEG, of the copies on the page; a click opens the picture itself."""
DIAGRAM_WIDTH, COLOURS = 1400, 96
"""Pixels and colours of the copies of diagrams, as PNG."""


class Shown(NamedTuple):
    """A picture as the template takes it."""

    data: str
    address: str
    caption: str
    links: Sequence[Link]
    diagram: bool


@dataclass(frozen=True)
class ReportPage:
    """A page that is written when it is saved: `conclusions` first, then `facts` (what, value), then `sections`.

    `caution` is a warning to read before anything else, `links` lead to other results, and `viewer` is the page of a
    viewer that is given a link back. `headings` stand over conclusions and facts; facts without a heading stand right
    below the title. A page with `contents` begins with links to its sections. Texts are escaped, wherever they come
    from.
    """

    title: str
    conclusions: Sequence[Conclusions]
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = ()
    caution: str = ""
    links: Sequence[Link] = ()
    viewer: Path | None = None
    headings: tuple[str, str] = ("Conclusions", "How the maps were made")
    contents: bool = False

    def write(self, path: Path) -> Path:
        """Write the page atomically to `path`, with links relative to it; one whose file is missing is left out."""
        html = _environment(path.parent).get_template(TEMPLATE).render(page=self, style=Markup(_template("page.css")))
        with replacing(path) as partial:
            partial.write_text(html, encoding="utf-8")
        if self.viewer is not None and self.viewer.is_file():
            link_back(self.viewer, path)
        return path


def _environment(folder: Path) -> Environment:
    # The folder that links start from is known only when the page is written.
    environment = Environment(
        loader=FunctionLoader(_template), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip

    def existing(links: Sequence[Link]) -> list[tuple[str, str]]:
        return [(link.words, _address(link, folder)) for link in links if _there(link.target)]

    def shown(pictures: Sequence[Picture]) -> list[Shown]:
        there = [picture for picture in pictures if _there(picture.file)]
        return [
            Shown(_small_copy(one), relative_link(one.file, folder), one.caption, one.links, one.diagram)
            for one in there
        ]

    # Drawings are the SVG that `charts` makes, which escapes its words itself; all else is text.
    environment.filters |= {"existing": existing, "shown": shown, "drawn": Markup}
    environment.tests["text"] = lambda cell: isinstance(cell, str)
    return environment


def _there(target: Path) -> bool:
    if not target.exists():
        log.warning("%s: is missing, so the page has no link to it", target)
    return target.exists()


def _address(link: Link, folder: Path) -> str:
    return relative_link(link.target, folder) + (f"#{quote(link.fragment, safe='=')}" if link.fragment else "")


def _small_copy(shown: Picture) -> str:
    """The address of the copy as data that stand in the page."""
    with Image.open(shown.file) as picture:
        copy = picture.convert("RGB")
    width = DIAGRAM_WIDTH if shown.diagram else PICTURE_WIDTH
    copy.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if shown.diagram:
        kind = "png"
        copy.quantize(COLOURS, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    else:
        kind = "jpeg"
        copy.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _template(name: str) -> str:
    return files(__package__).joinpath("template", name).read_text(encoding="utf-8")
