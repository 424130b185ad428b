"""Which slabs carried a decision: sentence, table, text, bars."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.explain.overlay import volume_figure
from octa_kedro.explain.slab_decision import (
    PLAYERS,
    TABLE_COLUMNS,
    SlabDecision,
    decisions,
    slabs_within,
    tabulate_slabs,
)
from octa_kedro.explain.slab_text import NOTHING, carried_diseases, format_slabs
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from tests.explain.test_draw_maps import keep

CNV = np.array([0.1, -0.3, 2.1, 0.4])
FACTS = {"explained": 1, "explained_class": "disease"}


def predictions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": "training_3d",
            "subject": ["1", "2", "3", "no values"],
            "part": "held_out",
            "disease": ["CNV", "CNV", "DR", "CNV"],
            "target": 1,
            "probability": [0.9, 0.2, 0.8, 0.9],
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    values = {"1": CNV, "2": [0.0, 0.0, 0.5, 0.2], "3": [1.0, 0.2, 1.1, 0.0]}
    stored = {
        subject: keep(
            tmp_path, subject, PlaneStack(np.stack([one, 2 * np.array(one)])[:, None], np.eye(4), PLAYERS), **FACTS
        )
        for subject, one in values.items()
    }
    return tabulate_slabs(stored, predictions())


def test_the_sentence_names_what_carried_the_decision_and_what_spoke_against_it():
    said = SlabDecision(CNV, decided=True, word="disease").sentence
    assert said == (
        "The decision was carried by OPL-BM (+2.1 logit, 81 % of what spoke for disease); IPL-OPL (-0.3) spoke against "
        "it. All slabs together: +2.3 logit compared with healthy eyes."
    )
    two = SlabDecision(np.array([1.0, 0.9, 0.0, 0.0]), decided=True, word="disease").sentence
    assert "carried by ILM-IPL (+1.0 logit, 53 % of what spoke for disease) and IPL-OPL (+0.9" in two
    other = SlabDecision(CNV, decided=False, word="disease").sentence
    assert other.startswith(
        "The network decided against disease. OPL-BM (+2.1 logit, 81 % of what spoke for disease) sp"
    )
    assert SlabDecision(-np.abs(CNV), decided=False, word="disease").sentence.startswith(
        "No slab spoke for disease. All"
    )


def test_the_table_holds_the_mean_over_networks_and_its_range(table: pd.DataFrame):
    assert list(table.columns) == list(TABLE_COLUMNS)
    assert table["subject"].unique().tolist() == ["1", "2", "3"]
    row = table[(table["subject"] == "1") & (table["slab"] == "OPL-BM")].iloc[0]
    assert (row["lowest"], row["value"], row["highest"]) == pytest.approx((2.1, 3.15, 4.2))
    assert row["share"] == pytest.approx(2.1 / 2.6)


def test_an_empty_table_can_be_stored_and_read(tmp_path: Path):
    empty = tabulate_slabs({}, predictions())
    empty.to_csv(tmp_path / "slabs.csv", index=False)
    again = pd.read_csv(tmp_path / "slabs.csv")
    assert decisions(again, 0.5) == {}
    assert format_slabs(carried_diseases(again, {}, 0.5)) == NOTHING


def test_decisions_follow_the_threshold_and_the_explained_class(table: pd.DataFrame):
    assert [one.decided for one in decisions(table, 0.5).values()] == [True, False, True]
    of_normal = table.assign(explained=0, explained_class="NORMAL")
    assert [one.decided for one in decisions(of_normal, 0.5).values()] == [False, True, False]
    assert {one.word for one in decisions(of_normal, 0.5).values()} == {"NORMAL"}
    np.testing.assert_allclose(decisions(table, 0.5)["1"].value, 1.5 * CNV)


def test_the_text_counts_eyes_whose_lesions_slab_carried_the_decision(table: pd.DataFrame):
    text = format_slabs(carried_diseases(table, {"CNV": "OPL_BM", "DR": "ILM_OPL"}, 0.5))
    assert "training_3d, CNV, 1 held-out eyes" in text  # the other one was classified wrongly
    assert "The lesion's slab (OPL-BM) has the highest value in 1 of 1 eyes" in text
    assert "The lesion's slab (ILM-IPL and IPL-OPL) has the highest value in 0 of 1 eyes" in text
    assert "OPL-BM    share 0.81" in text


def test_slabs_are_made_up_of_players():
    assert slabs_within("ILM_OPL") == ("ILM-IPL", "IPL-OPL")
    assert slabs_within("OPL_BM") == ("OPL-BM",)
    assert slabs_within("choriocapillaris") == slabs_within("FULL") == ()


def test_the_figure_shows_values_and_sentence():
    shape = (12, 10, 16)
    affine = scan_affine(shape, (3.0, 3.0, 0.8))
    depths = {"ILM": 0.1, "IPL_INL": 0.2, "OPL_ONL": 0.3, "BM": 0.6}
    surfaces = PlaneStack(np.stack([np.full(shape[:2], d) for d in depths.values()], axis=2), affine, tuple(depths))
    image = Volume(np.random.default_rng(0).random(shape), affine, "OCTA")
    figure = volume_figure(
        image,
        image,
        None,
        surfaces,
        None,
        title="eye",
        scale=1.0,
        decision=SlabDecision(CNV, decided=True, word="disease"),
    )
    bars = figure.axes[9].patches
    assert [bar.get_width() for bar in bars[-4:]] == pytest.approx(100 * CNV / CNV[CNV > 0].sum())
    assert figure.axes[9].get_xlim()[0] < 100 * -0.3 / 2.6
    assert "carried by OPL-BM" in " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    plain = volume_figure(image, image, None, surfaces, None, title="eye", scale=1.0)
    assert len(plain.axes[9].patches) == 5
