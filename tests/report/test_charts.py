"""Drawings on a page."""

import math

from octa_kedro.report.charts import Dot, dot_chart


def test_a_drawing_has_a_panel_for_each_group_and_escapes_its_words():
    panels = {"DR <1>": {"map": Dot(0.5, 0.4, 0.6, 0.1, own=True), "edges": Dot(math.nan)}, "CNV": {"map": Dot(0.7)}}
    drawing = dot_chart(panels, "voxel AP")
    assert drawing.startswith("<svg")
    assert "DR &lt;1&gt;" in drawing
    assert [drawing.count(word) for word in (">CNV<", ">map<", ">edges<", ">voxel AP<")] == [1, 1, 1, 2]


def test_the_same_scores_give_the_same_drawing():
    assert dot_chart({"DR": {"map": Dot(0.5)}}, "x") == dot_chart({"DR": {"map": Dot(0.5)}}, "x")
