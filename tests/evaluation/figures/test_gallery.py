import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.figures.gallery import errors_figure, eye_words
from octa_kedro.io.volume import PlaneStack, Volume

from .drawing import render

TITLES = {"training_3d": "3D network (resnet18)"}


def errors(n: int = 4, part: str = "held_out") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": "training_3d", "part": part, "rank": range(1, n + 1), "subject": [f"s{k}" for k in range(n)],
            "label": "DR", "called": "NORMAL", "wrong_probability": 0.9, "probability": 0.1, "threshold": 0.5,
            "spread": np.nan, "quality_objections": "", "signal_db": 14.94,
        }
    )  # fmt: skip


def image() -> Volume:
    return Volume(np.random.default_rng(0).random((8, 6, 10)), np.diag([0.5, 0.5, 0.1, 1]), "OCTA", "OD")


def planes(*names: str) -> PlaneStack:
    array = np.random.default_rng(0).random((8, 6, len(names)))
    return PlaneStack(array, np.diag([0.5, 0.5, 1, 1]), names, "OD", "x")


def test_it_draws_the_worst_three_of_a_part_with_b_scan_maps_and_words():
    images = {f"s{k}": image for k in range(4)}
    maps = {f"s{k}": lambda: planes("ILM_OPL", "OPL_BM") for k in range(4)}
    figure = errors_figure(errors(), images, maps, {"s0": lambda: planes("ILM")}, TITLES)
    render(figure)
    assert len(figure.axes) == 3 * 4
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["B-scan", "en-face, ILM to OPL", "en-face, OPL to BM"]
    assert len(figure.axes[0].get_lines()) == 1  # the surface
    assert "Out of fold: no eye was called wrong." in figure._supxlabel.get_text().replace("\n", " ")
    assert figure.get_suptitle() == "Worst errors of the 3D network (resnet18)"


def test_without_maps_it_shows_the_mean_over_depth():
    figure = errors_figure(errors(1), {"s0": image}, {}, {}, TITLES)
    assert figure.axes[1].get_title() == "mean over depth"


def test_no_error_is_said_in_words():
    figure = errors_figure(errors(0), {}, {}, {}, TITLES)
    render(figure)
    assert figure.axes[0].texts[0].get_text() == "No eye was called wrong."


def test_an_eye_without_volume_ends_the_drawing_or_is_left_out():
    with pytest.raises(DataError, match="subject s1: no processed volume"):
        errors_figure(errors(2), {"s0": image}, {}, {}, TITLES)
    figure = errors_figure(errors(2), {"s0": image}, {}, {}, TITLES, on_error="quarantine")
    assert len(figure.axes) == 3


def test_words_leave_out_what_is_not_known():
    row = errors(1).assign(age=50.0, sex=None).to_dict("records")[0]
    assert eye_words(row) == (
        "Held out, worst 1: s0",
        ["label DR, called NORMAL", "p = 0.90 for what is wrong", "50 years", "quality: signal 14.9 dB"],
    )
