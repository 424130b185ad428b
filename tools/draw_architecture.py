"""Draw docs/images/architecture.svg from the import contracts in pyproject.toml.

    python tools/draw_architecture.py            # write the drawing
    python tools/draw_architecture.py --check    # fail if the drawing is out of date

A row is a layer of the contract of type `layers`; its boxes are the layer's packages, with the first sentence of
their docstrings and a badge for every contract of type `forbidden` that names them.
"""

import ast
import re
import sys
import textwrap
import tomllib
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DRAWING = "docs/images/architecture.svg"

# Pixels; text of 12 pixels takes about 6.3 pixels a letter.
WIDTH, MARGIN, GAP, BOX, LINE, LETTER, BADGE = 880, 50, 12, 60, 16, 6.3, 18
LINES = 2
COLOURS = ("#1f6f78", "#8a4f00", "#5b3c88", "#7a1f3d")


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the drawing, or with ``--check`` return 1 if the stored one is not what the contracts give."""
    drawing, path = draw(root), root / DRAWING
    if "--check" not in arguments:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawing, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == drawing:
        return 0
    sys.stderr.write(f"{DRAWING} is out of date; run python tools/draw_architecture.py\n")
    return 1


def draw(root: Path) -> str:
    """The SVG of the repository `root`: layers from the highest to the lowest, then what the badges mean."""
    contracts = read_contracts(root)
    badges = {contract["name"]: COLOURS[i % len(COLOURS)] for i, contract in enumerate(forbidding(contracts))}
    parts, top = [], MARGIN
    for layer in layers(contracts):
        width = (WIDTH - MARGIN - 20 - GAP * (len(layer) - 1)) / len(layer)
        for i, module in enumerate(layer):
            place = (MARGIN + i * (width + GAP), top, width)
            own = [(_badge(c), badges[c["name"]]) for c in forbidding(contracts) if module in c["source_modules"]]
            parts += _box(place, module, summary(root, module), own)
        top += BOX + GAP
    parts += _arrow(top - GAP)
    for contract in forbidding(contracts):
        words = f"{_badge(contract)}: {contract['name']} ({', '.join(contract['forbidden_modules'])})"
        parts.append(_text(MARGIN, top + 14, words, size=12, colour=badges[contract["name"]]))
        top += LINE + 4
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + 12:.0f}" '
        f'viewBox="0 0 {WIDTH} {top + 12:.0f}" font-family="Helvetica, Arial, sans-serif">'
    )
    title = _text(MARGIN, 30, "A package may import what stands below it, and nothing above", size=15, bold=True)
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', title, *parts, "</svg>", ""])


def read_contracts(root: Path) -> list[dict[str, Any]]:
    """The contracts of import-linter, in their order."""
    with (root / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["importlinter"]["contracts"]


def layers(contracts: list[dict[str, Any]]) -> list[list[str]]:
    """The modules of each layer, the highest layer first."""
    rows = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [re.findall(r"[\w.]+", row) for row in rows]


def forbidding(contracts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The contracts that forbid some packages to import some libraries."""
    return [contract for contract in contracts if contract["type"] == "forbidden"]


def summary(root: Path, module: str) -> str:
    """The first sentence of a module's docstring."""
    base = root / "src" / Path(*module.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(re.split(r"(?<=\.)\s|\n\n", text)[0].split()).rstrip(".")


def _badge(contract: dict[str, Any]) -> str:
    return f"no {contract['forbidden_modules'][0]}"


def _box(place: tuple[float, float, float], module: str, words: str, badges: list[tuple[str, str]]) -> list[str]:
    """A package at (left, top, width): its name, its docstring in at most `LINES` lines, its badges at the right."""
    left, top, width = place
    parts = [
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BOX}" rx="5" fill="#f3f6f8" stroke="#8fa3ad"/>',
        _text(left + 10, top + 20, module.split(".", 1)[1], size=14, bold=True),
    ]
    lines = textwrap.wrap(words, int((width - 20) / LETTER), max_lines=LINES, placeholder=" ...")
    parts += [_text(left + 10, top + 38 + LINE * i, line, size=12) for i, line in enumerate(lines)]
    right = left + width - 8
    for text, colour in reversed(badges):
        wide = len(text) * LETTER + 10
        right -= wide
        parts.append(
            f'<rect x="{right:.1f}" y="{top + 6}" width="{wide:.1f}" height="{BADGE}" rx="9" fill="{colour}"/>'
        )
        parts.append(_text(right + wide / 2, top + 19, text, size=11, colour="white", middle=True))
        right -= 5
    return parts


def _arrow(bottom: float) -> list[str]:
    x = MARGIN / 2
    return [
        f'<path d="M {x} {MARGIN} V {bottom - 8}" stroke="#555" stroke-width="2"/>',
        f'<path d="M {x - 6} {bottom - 12} L {x} {bottom} L {x + 6} {bottom - 12} Z" fill="#555"/>',
        f'<text x="{x - 8}" y="{(MARGIN + bottom) / 2}" font-size="12" fill="#555" text-anchor="middle" '
        f'transform="rotate(-90 {x - 8} {(MARGIN + bottom) / 2})">imports</text>',
    ]


def _text(
    x: float, y: float, words: str, *, size: int, colour: str = "#222", bold: bool = False, middle: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{weight}{anchor}>{escape(words)}</text>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
