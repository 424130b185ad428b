"""Words that are markup, a formula or a command somewhere: pages, figures and tables show them as they are."""

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.confusion import confusion_figure
from octa_kedro.evaluation.figures.curves import roc_figure
from octa_kedro.evaluation.figures.forest import forest_figure
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import as_text, format_metric_table, metric_table
from octa_kedro.explain.overlay import volume_figure
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.preprocessing.contact_sheet import contact_sheet
from octa_kedro.report.charts import Dot, dot_chart
from octa_kedro.report.page import ReportPage
from octa_kedro.report.sections import Conclusions, Link, Section, Table
from octa_kedro.viewer import page
from tests.evaluation.builders import gaussian_rows
from tests.preprocessing.test_contact_sheet import Card, picture
from tests.viewer.eyes import small_eye

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }} & co",
    "$x$ and $\\frac{1$",
    "a | b ` [c](javascript:d) <e>",
)


class Tags(HTMLParser):
    """Names of the tags and of their attributes, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{tag}.{name}" for name, _ in attrs)}
        self.links += [str(value) for name, value in attrs if name in {"href", "src"}]


def tags(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    return parser


def report(folder: Path, word: str) -> str:
    target = folder / word.replace("/", " ")
    target.touch()
    table = Table((word, "n"), ((word, (Link(word, target, word),)),), word, word)
    chart = dot_chart({word: {word: Dot(0.5)}}, word)
    section = Section(word, (word,), (chart,), (), (table,), ((word, word),))
    written = ReportPage(
        word, (Conclusions((word,), word),), ((word, word),), (section,), word, (Link(word, target),)
    ).write(folder / "p.html")
    return written.read_text(encoding="utf-8")


@pytest.mark.parametrize("word", HOSTILE)
def test_a_page_of_results_shows_it_as_text(tmp_path: Path, word: str):
    usual, found = tags(report(tmp_path, "plain")), tags(report(tmp_path, word))
    assert found.found <= usual.found
    assert not any(link.startswith("javascript:") for link in found.links)


@pytest.mark.parametrize("word", HOSTILE)
def test_the_viewer_has_it_within_a_string(tmp_path: Path, monkeypatch, word: str):
    monkeypatch.setattr(page, "niivue_script", lambda: "")
    page.write_viewer(tmp_path / "viewer", [small_eye(word, label=word)], title=word, note=word, findings={5: word})
    script = (tmp_path / "viewer" / "eyes.js").read_text(encoding="utf-8")
    about = json.loads(script.removeprefix("window.VIEWER = ").removesuffix(";\n"))
    assert (about["title"], about["note"], about["findings"]["5"], about["eyes"][0]["label"]) == (word,) * 4
    assert word not in (tmp_path / "viewer" / "index.html").read_text(encoding="utf-8")


def test_the_viewer_never_makes_markup_of_words():
    """``innerHTML`` may be set to nothing but the fixed names of directions."""
    folder = Path(page.__file__).parent / "template"
    made = [line.strip() for path in folder.glob("*.js") for line in path.read_text().splitlines() if "HTML" in line]
    assert len(made) == 4
    assert all(line.startswith("$(") and ("sides" in line or "letters(" in line or "3D" in line) for line in made)
    assert not any("document.write" in path.read_text() for path in folder.glob("*.js"))


def drawn(figure: Figure) -> None:
    figure.savefig(io.BytesIO(), format="png", dpi=40)


@pytest.mark.parametrize("word", HOSTILE[-2:])
def test_figures_draw_it_as_it_is(word: str):
    pooled = pool_predictions(pd.concat([gaussian_rows(20, 1.0, model=word), gaussian_rows(20, 1.0, seed=5)]))
    config = EvaluationConfig(resamples=100)
    metrics = metric_table(pooled, config)
    drawn(roc_figure(pooled, metrics, config))
    drawn(forest_figure(pooled, metrics, config))
    drawn(confusion_figure(pooled, metrics, config, (word, "x")))
    (sheet,) = contact_sheet([Card(word, word, "OD", picture(), (word,))], title=word)
    drawn(sheet)
    image = Volume(np.random.default_rng(0).random((6, 5, 8)), scan_affine((6, 5, 8), (3.0, 3.0, 0.8)), "OCTA")
    drawn(volume_figure(image, image, None, None, None, title=word, scale=1.0, unit=word))


def test_a_cell_of_a_markdown_table_stays_one():
    pooled = pool_predictions(gaussian_rows(20, 1.0, model="a | b\n`c` <d>"))
    lines = format_metric_table(metric_table(pooled, EvaluationConfig(resamples=100))).splitlines()
    rows = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3}
    assert "a \\| b \\`c\\` &lt;d>" in lines[2]
    assert as_text("[x](javascript:y)") == "\\[x\\](javascript:y)"
