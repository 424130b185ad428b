"""What the page of explanation results says."""

import re
from html import unescape
from pathlib import Path

import pytest

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.report.explanation import PLAUSIBILITY, explanation_page
from octa_kedro.report.sections import Section, Table
from tests.report.links import links_of, target
from tests.report.tables import LAYER, places, scores


def text_of(page: Path) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def write(folder: Path, given=None, more=(), **config) -> Path:
    page = explanation_page(given or scores(), LAYER, ExplainConfig(**config), places(folder), more)
    return page.write(folder / "explanation_training_3d.html" / "2026-11-27T07.00.00.000Z" / "explanation.html")


def test_conclusions_come_first_and_in_whole_sentences(tmp_path):
    text = text_of(write(tmp_path))
    assert (
        text.index("Conclusions") < text.index("How the maps were made") < text.index("Does the map find the lesion?")
    )
    assert "DR: the map finds the lesion better than every control" in text
    assert "inside the lesion in 6 of 6 correctly classified eyes (100 %; by chance 4.0 %)" in text


def test_the_map_stands_beside_each_control_and_findings_are_ranked(tmp_path):
    text = text_of(write(tmp_path))
    assert re.search(r"the network's map 1.00 \[0.61, 1.00\] 0.55 \[\S+, \S+\] 1.00", text)
    assert re.search(r"edges 0.00 \[0.00, 0.39\] 0.05 \[0.05, 0.05\]", text)
    assert text.index("microaneurysm") < text.index("fluid")
    assert "DR small 0.100 to 0.110 2" in text


def test_every_link_leads_to_a_file_and_the_viewer_leads_back(tmp_path):
    page = write(tmp_path)
    links = links_of(page)
    assert [link for link in links if not target(page, link).exists()] == []
    assert any(link.endswith("viewer_training_3d/index.html#eye=10005") for link in links)
    assert len([link for link in links if link.endswith("10005.png")]) == 3  # the picture, below it, and in the list
    viewer = next(target(page, link) for link in links if link.endswith("index.html"))
    back = (viewer.parent / "back.js").read_text().split('"')[1]
    assert (viewer.parent / back).resolve() == page.resolve()


def test_links_still_lead_there_after_all_was_moved(tmp_path):
    page = write(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    moved = tmp_path / "after" / page.relative_to(tmp_path / "before")
    assert all(target(moved, link).exists() for link in links_of(moved))


def test_a_missing_figure_or_sweep_has_no_link(tmp_path):
    given = scores()
    page = explanation_page(given, LAYER, ExplainConfig(), places(tmp_path, drawn=range(2)))
    written = page.write(tmp_path / "page.html")
    assert {Path(link).name for link in links_of(written) if "maps_" in link} == {
        "10000.png", "10001.png", "maps_training_3d",
    }  # fmt: skip
    assert "better by voxel AP (0.4)" in text_of(written)


def test_best_median_and_worst_eye_are_shown(tmp_path):
    text = text_of(write(tmp_path))
    for eye, rank in (("10005", "best by voxel AP (0.8)"), ("10000", "worst by voxel AP (0.3)")):
        assert f"DR, eye {eye}: {rank}" in text
    assert re.search(r"eye 1000[23]: median", text)


def test_without_masks_the_page_says_that_maps_can_only_be_plausible(tmp_path):
    text = text_of(write(tmp_path, scores(masks=False)))
    assert PLAUSIBILITY in text
    assert text.index(PLAUSIBILITY) < text.index("Conclusions")
    assert "most of the evidence lies in slab OPL-BM (70 % of it, in 25 % of the voxels; 6 eyes)" in text
    assert PLAUSIBILITY not in text_of(write(tmp_path))


def test_no_text_of_a_table_becomes_markup(tmp_path):
    bad = "<script>alert(1)</script>&"
    page = write(
        tmp_path, scores(label=bad), [Section(bad, [bad], tables=[Table([bad], [[bad]], title=bad, note=bad)])]
    )
    assert "<script>alert" not in page.read_text()
    assert f"{bad}: the map" in text_of(page)


def test_the_page_asks_nothing_of_a_network(tmp_path):
    html = write(tmp_path).read_text()
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"'<> ]+", html)) <= namespaces
    assert "@import" not in html


@pytest.mark.parametrize(
    ("config", "said", "not_said"),
    [
        ({}, "Compared with the eye blurred by 8 voxels", "Layer"),
        ({"smooth_depth_mm": 0.02}, "Smoothed in depth 0.02 mm", "Noise"),
    ],
)
def test_the_settings_of_the_method_are_told(tmp_path, config, said, not_said):
    text = text_of(write(tmp_path, **config))
    assert said in text
    assert "Finest detail 8 \N{MICRO SIGN}m deep, 50 \N{MICRO SIGN}m wide" in text
    assert not_said not in text[: text.index("Does the map")]


def test_eyes_of_which_none_is_right_have_a_page(tmp_path):
    given = scores()
    wrong = type(given)(given.by_eye.assign(correct=False), *list(vars(given).values())[1:])
    assert "Single eyes" not in text_of(write(tmp_path, wrong))


def test_a_model_without_a_map_has_a_page_that_says_so(tmp_path):
    nothing = scores()
    empty = type(nothing)(*(table.iloc[:0] for table in vars(nothing).values()))
    assert "there is nothing to conclude" in text_of(write(tmp_path, empty))
