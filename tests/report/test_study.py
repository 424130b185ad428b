"""What the one report of an evaluation says."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from octa_kedro.configuration.parameters import GROUPS
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.variation import variation_table
from octa_kedro.report import checklists
from octa_kedro.report.eyes_and_splits import common_patients
from octa_kedro.report.groups import subgroup_section, variation_section
from octa_kedro.report.markdown import page_as_markdown
from octa_kedro.report.model_card import model_card
from octa_kedro.report.networks import CHOSEN_EPOCH, LAST_EPOCH, epoch_words, network_facts, network_section
from octa_kedro.report.origin import Changed, Read
from octa_kedro.report.page import ReportPage
from octa_kedro.report.study_data import Origin
from octa_kedro.report.words import with_texts
from tests.conftest import ROOT
from tests.evaluation.builders import gaussian_rows
from tests.report.links import links_of
from tests.report.studies import CARD, CONFIG, facts, seen, splits, study, tables
from tests.report.test_explanation import text_of
from tests.report.test_hostile_words import HOSTILE, tags

ALL_ITEMS = [*checklists.ITEMS, *checklists.OF_A_SECOND_COHORT]
MARKUP = "<script>alert(1)</script>"


def written(folder: Path, page: ReportPage) -> Path:
    return page.write(folder / "report.html" / "2026-11-27T07.00.00.000Z" / "report.html")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    return text_of(written(folder, study(folder)))


def test_the_verdict_comes_first_with_the_floor_before_the_networks(text):
    first = text.index("the best floor, majority (AUROC")
    assert first < text.index("not shown that") if "not shown that" in text else True
    assert text.index("What the comparison shows") < first < text.index("3D less 2D, on the same eyes A difference")


def test_the_difference_of_dimensions_is_3d_less_2d_whatever_their_order(tmp_path):
    from octa_kedro.report.pairs import dimension_section

    table = tables().comparisons
    swapped = table.assign(
        first=table["second"], second=table["first"], first_value=table["second_value"],
        second_value=table["first_value"], difference=-table["difference"], low=-table["high"], high=-table["low"],
    )  # fmt: skip
    dims = {"training_3d": 3, "training_2d": 2}
    rows = dimension_section(table, dims, 0.95).tables[0].rows
    assert dimension_section(swapped, dims, 0.95).tables[0].rows == rows
    assert re.fullmatch(r"\+0\.\d\d \[-?\d\.\d\d, \d\.\d\d\]", rows[0][4])


def test_no_patient_is_in_two_parts_and_the_count_is_shown(text):
    assert "Largest number of patients in common, over 7 pairs: 0." in text
    assert "3D network, fold 1 chose its epoch and held out 1 2 1 2 0" in text


def test_a_patient_in_two_parts_is_counted_and_stands_before_all_else(tmp_path):
    common = common_patients(splits(), {"net__fold_1": seen("h1")})
    assert common["common"].tolist() == [0, 0, 0, 0, 1]
    twins = splits().assign(patient=["p1", "p2", "P1 ", "p4", "p5", "p6"])
    assert common_patients(twins, {})["common"].tolist() == [1, 0, 0]
    page = study(tmp_path, judged="h1")
    assert "1 pairs of parts have patients in common" in page.caution
    assert text_of(written(tmp_path, page)).index(page.caution) < 200


def test_what_chose_the_epoch_is_told(text):
    assert epoch_words(facts(3)) == "epoch 7 of at most 20: lowest validation loss after epoch 10"
    assert epoch_words(facts(3) | {"keep": "last", "epoch": 20}) == "epoch 20 of at most 20: the last one"
    assert "resnet18 in 3D, 1.5 million weights" in text


def test_without_a_choice_of_the_epoch_no_value_is_said_to_have_chosen_it():
    chosen = CARD | {"metrics": {"val_loss": 0.4}, "model": {"name": "resnet18", "spatial_dims": 3}}
    last = chosen | {"parameters": CARD["parameters"] | {"stop": {"keep": "last"}}}
    for card, words, value in ((chosen, CHOSEN_EPOCH, "0.400"), (last, LAST_EPOCH, "n/a")):
        section = network_section({"training_3d": [network_facts(card, 1_500_000)]})
        assert words in section.text[0]
        assert section.tables[0].rows[0][-1] == "7"
        assert section.tables[1].rows[0][3] == value


def test_times_are_those_measured(text):
    assert re.search(r"3D network 1 2 0\.1 4\.00 0\.50", text)


def test_parameters_and_versions_are_told_where_they_are_known(tmp_path, text):
    assert "was not told" in text
    changed = [Changed("phantom.seed", "2", "0", "--params")]
    origin = Origin(
        changed, "octa500", [Read("splits", "2026", "0123456789abcdef")], {"net.fold_1.checkpoint": "ab" * 9}
    )
    known = text_of(written(tmp_path, study(tmp_path, origin=replace(origin, source="phantom"))))
    assert "Source the phantom (synthetic eyes, which say nothing about patients), unless source.path" in known
    assert "Environment: octa500. 1 differ" in known
    assert "splits 2026 0123456789ab" in known
    assert "network: net, fold 1 abababababab" in known


def test_without_an_explanation_the_report_says_so_and_with_one_it_links_to_it(tmp_path, text):
    assert "Maps were not made" in text
    page = tmp_path / "explanation.html" / "v" / "explanation.html"
    page.parent.mkdir(parents=True)
    page.touch()
    digest = {"conclusions": ["ill: the map finds it."], "caution": "", "columns": ["disease", "eyes"],
              "rows": [["ill", "3 eyes"]], "pictures": []}  # fmt: skip
    file = written(tmp_path, study(tmp_path, explanations={"training_3d": (digest, page)}))
    assert "3D network: ill: the map finds it." in text_of(file)
    assert "../../explanation.html/v/explanation.html" in links_of(file)


@pytest.mark.parametrize("word", HOSTILE)
def test_labels_that_are_markup_are_text(tmp_path, word):
    hostile = tags(written(tmp_path, study(tmp_path, label=word)).read_text())
    assert hostile.found <= tags(written(tmp_path, study(tmp_path)).read_text()).found
    twin = page_as_markdown(study(tmp_path, label=word), tmp_path / "report.md" / "v")
    assert "<script" not in twin
    assert "<img" not in twin


def test_the_report_asks_nothing_of_a_network(tmp_path):
    html = written(tmp_path, study(tmp_path)).read_text()
    assert not re.findall(r"(?:src|href)=\"https?:", html)
    assert "data:image/png;base64," in html
    assert "@import" not in html


def test_the_twin_has_the_same_words_and_whole_tables(tmp_path, text):
    twin = page_as_markdown(study(tmp_path), tmp_path / "report.md" / "v")
    assert "](../../roc.png/v/roc.png)" in twin
    for block in twin.split("\n\n"):
        if block.startswith("| "):
            assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1
    for title in re.findall(r"^## (.*)$", twin, flags=re.MULTILINE):
        assert title in text


def test_no_cell_is_a_nan(text):
    assert not re.search(r"\bnan\b", text)


def test_every_topic_has_a_source_or_says_what_the_author_has_to_say():
    for one in ALL_ITEMS:
        assert bool(one.sources) or one.answer.startswith(checklists.ASK), one.topic
        assert checklists.ASK.rstrip() in one.answer or "not available" not in one.answer
        assert not one.answer.endswith(checklists.ASK)


def test_every_source_of_a_topic_is_a_dataset_or_a_group_of_parameters():
    known = {*yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text()), *(f"params:{name}" for name in GROUPS)}
    known.add("evaluation.confusion_figure")  # by the pattern of figures
    assert {source for one in ALL_ITEMS for source in one.sources} <= known


def test_every_topic_is_answered_in_the_report(text):
    for one in checklists.ITEMS:
        assert one.topic in text
    assert "6 of 7 eyes take part" in text


def test_a_subgroup_is_a_row_and_a_small_one_is_marked():
    about = {"model": "training_3d", "part": "held_out", "group": "sex", "n_eyes": 8, "n_positive": 5}
    rows = [
        about | {"level": MARKUP, "metric": "auroc", "value": 0.5, "low": 0.25, "high": 0.75, "small": True},
        about | {"level": MARKUP, "metric": "sensitivity", "value": 1.0, "low": 0.5, "high": 1.0, "small": False},
    ]
    floor = {**rows[0], "model": "floor_majority"}
    (table,) = subgroup_section(pd.DataFrame([*rows, floor])).tables
    assert table.rows == [[f"sex: {MARKUP}", "8 (5 positive)", "0.50 [0.25, 0.75] *", "1.00 [0.50, 1.00]"]]
    assert table.note.startswith("* Fewer than 10 patients")


def test_variation_is_a_row_for_each_network_and_says_what_is_not_known():
    single = gaussian_rows(30, 1.0)
    repeats = dict.fromkeys(map(int, single["fold"]), 1)
    section = variation_section(with_texts(variation_table(pool_predictions(single), single, repeats, CONFIG)))
    (row,) = [row for row in section.tables[0].rows if row[1] == "AUROC"]
    assert re.fullmatch(r"1: 0\.\d\d \[0\.\d\d, 0\.\d\d\]", row[3])
    assert row[-2] == "n/a"
    assert "every fold was trained with one seed" in section.tables[0].note


def test_a_model_card_says_what_for_of_whom_how_good_and_made_from_what():
    card = model_card("training_3d", facts(3), CARD, tables().metrics)
    assert card.startswith("# Model card: 3D network, fold 1")
    assert "- training: 2 eyes of 2 patients" in card
    assert re.search(r"\| Out of fold +\| AUROC +\| 0\.\d\d \\\[", card)
    assert "- splits: 0123456789ab" in card
    assert "no patient may be treated" in card
    assert "floor" not in card
