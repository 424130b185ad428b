"""Who is in a cohort: nothing but the disease tells the disease, unless a dial says so."""

import numpy as np
import pandas as pd
import pytest

from octa_kedro.phantom.config import FIELD_MM, OCTA500, PhantomConfig
from octa_kedro.phantom.plan import COLUMNS, plan_cohort
from octa_kedro.pipelines.phantom.nodes import plan_phantom

ALL = {"NORMAL": 40, "AMD": 24, "CNV": 16, "CSC": 10, "DR": 30, "RVO": 10, "OTHERS": 20}


def plan(**changes: object) -> pd.DataFrame:
    return plan_cohort(PhantomConfig.model_validate(changes))


def test_table_has_the_columns_and_ids_of_the_release():
    table = plan()
    assert tuple(table.columns) == COLUMNS
    assert list(table.loc[table.fov_mm == 6, "ID"]) == list(range(10001, 10025))
    assert list(table.loc[table.fov_mm == 3, "ID"]) == list(range(10301, 10325))
    assert table["Disease"].value_counts().to_dict() == {"NORMAL": 16, "DR": 16, "CNV": 16}
    assert table["Disease"].equals(table["drawn"])
    assert set(table["Sex"]) == {"F", "M"}
    assert set(table["OS/OD"]) == {"OD", "OS"}
    assert table["Age"].between(25, 79).all()


@pytest.mark.parametrize("column", ["Sex", "OS/OD", "fov_mm"])
def test_no_column_tells_the_disease(column: str):
    table = plan()
    assert (pd.crosstab(table["Disease"], table[column]).to_numpy() == 8).all()


def test_columns_tell_nothing_of_each_other():
    table = plan(subjects={"NORMAL": 32, "DR": 32}, poor_share=0.5)
    table["poor"] = table["quality"] != "good"
    for column in ("Sex", "OS/OD", "poor"):
        assert (pd.crosstab([table["Disease"], table["fov_mm"]], table[column]).to_numpy() == 8).all()
    assert abs(pd.crosstab(table["Sex"], table["OS/OD"]).to_numpy() - 16).max() <= 8


def test_diseases_are_interleaved():
    assert plan()["Disease"].head(8).nunique() > 1
    assert not plan(seed=2)["Disease"].equals(plan()["Disease"])


def test_equal_configs_give_equal_tables():
    pd.testing.assert_frame_equal(plan(), plan())
    shuffled = plan(subjects={"CNV": 16, "NORMAL": 16, "DR": 16})
    pd.testing.assert_frame_equal(shuffled, plan())


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"poor_share": 0.3}, {"quality"}),
        ({"severity": (0.9, 1.0)}, {"severity"}),
        ({"ages": (60, 70)}, {"Age"}),
        ({"female_share": 0.9}, {"Sex"}),
        ({"labels": "random"}, {"Disease"}),
        ({"workers": 3}, set()),
    ],
)
def test_a_setting_changes_its_own_column_only(changes: dict[str, object], changed: set[str]):
    before, after = plan(), plan(**changes)
    assert {column for column in COLUMNS if not before[column].equals(after[column])} == changed


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_untied_field_of_view_is_independent_of_the_disease(share: float, seed: int):
    shapes = {"3mm": (48, 48, 128), "6mm": (64, 64, 128)}
    wide = (
        plan(subjects=ALL, share_6mm=share, seed=seed, shapes=shapes)
        .groupby("drawn")["fov_mm"]
        .agg(lambda fov: (fov == 6).sum())
    )
    assert all(abs(wide[disease] - share * count) < 1 for disease, count in ALL.items())


@pytest.mark.parametrize("tie", [0.5, 1.0])
def test_tied_field_of_view_is_as_in_the_release(tie: float):
    table = plan(subjects=ALL, fov_tie=tie, share_6mm=0.5)
    for disease, count in ALL.items():
        narrow, wide = OCTA500[disease]
        expected = count * ((1 - tie) * 0.5 + tie * wide / (narrow + wide))
        assert abs((table.loc[table["drawn"] == disease, "fov_mm"] == 6).sum() - expected) < 1


def test_the_whole_release_can_be_imitated():
    table = plan(subjects={word: sum(counts) for word, counts in OCTA500.items()}, fov_tie=1)
    found = pd.crosstab(table["drawn"], table["fov_mm"])
    assert {str(word): (int(row[3.0]), int(row[6.0])) for word, row in found.iterrows()} == OCTA500
    assert table["ID"].max() == 10500


def test_eyes_may_be_counted_by_field_of_view():
    table = plan(subjects={"NORMAL": {"3mm": 7, "6mm": 2}, "AMD": {"6mm": 5}, "DR": 4})
    found = pd.crosstab(table["Disease"], table["fov_mm"])
    assert found.loc["NORMAL"].tolist() == [7, 2]
    assert found.loc["AMD"].tolist() == [0, 5]
    assert found.loc["DR"].tolist() == [2, 2]


def test_one_field_of_view_is_enough():
    table = plan(subjects={"NORMAL": {"3mm": 3}, "DR": {"3mm": 3}}, shapes={"3mm": (48, 48, 128)})
    assert set(table["fov_mm"]) == {FIELD_MM["3mm"]}


def test_ages_are_alike_in_every_disease_or_as_given():
    means = plan().groupby("Disease")["Age"].mean()
    assert means.max() - means.min() < 3
    ages = plan(ages={"NORMAL": (20, 40), "DR": (40, 60), "CNV": (60, 90)}).groupby("Disease")["Age"]
    assert ages.max()["NORMAL"] < 40 <= ages.min()["DR"] <= ages.max()["DR"] < 60 <= ages.min()["CNV"]


@pytest.mark.parametrize(("share", "women"), [(0.0, 0), (0.25, 4), (1.0, 16)])
def test_share_of_women_holds_in_every_disease(share: float, women: int):
    assert ((plan(female_share=share)["Sex"] == "F").groupby(plan()["Disease"]).sum() == women).all()


def test_severity_is_spread_evenly_within_each_disease():
    table = plan(severity=(0.2, 0.8), subjects=ALL)
    assert (table.loc[table["drawn"] == "NORMAL", "severity"] == 0).all()
    for disease, count in ALL.items():
        if disease != "NORMAL":
            rank = (table.loc[table["drawn"] == disease, "severity"] - 0.2) / 0.6 * count
            assert sorted(np.floor(rank)) == list(range(count))


def test_poor_scans_are_spread_over_diseases_and_kinds():
    table = plan(subjects=ALL, poor_share=0.3, poor_kinds=["motion", "tilt"])
    poor = table[table["quality"] != "good"]
    for disease, count in ALL.items():
        assert abs((poor["drawn"] == disease).sum() - 0.3 * count) < 1
    kinds = poor["quality"].value_counts()
    assert set(kinds.index) == {"motion", "tilt"}
    assert kinds.max() - kinds.min() <= 1
    assert (plan()["quality"] == "good").all()


def test_random_labels_know_nothing_of_what_is_drawn():
    agreement = []
    for seed in range(60):
        table = plan(labels="random", seed=seed)
        assert table["Disease"].value_counts().to_dict() == {"NORMAL": 16, "DR": 16, "CNV": 16}
        agreement.append((table["Disease"] == table["drawn"]).mean())
    # by chance a third agree, with a deviation of 0.07 in each cohort
    assert np.mean(agreement) == pytest.approx(1 / 3, abs=0.03)
    assert max(agreement) < 0.7


SMALL = {"subjects": {"NORMAL": 4, "DR": 4}, "shapes": {"3mm": (32, 32, 128), "6mm": (44, 44, 128)}}


def keys(**changes: object) -> dict[str, str]:
    cohort = plan_phantom(PhantomConfig.model_validate(SMALL | changes))
    return {subject: recipe.key for subject, recipe in cohort.recipes.items()}


@pytest.mark.parametrize("changes", [{"labels": "random"}, {"workers": 2}, {"poor_kinds": ["tilt"]}])
def test_what_does_not_change_an_eye_does_not_make_it_again(changes: dict[str, object]):
    assert keys(**changes) == keys()


def test_an_eye_is_made_again_where_its_row_or_its_settings_change():
    before = keys()
    narrow = keys(shapes={"3mm": (40, 40, 128), "6mm": (44, 44, 128)})
    assert {subject for subject in before if narrow[subject] != before[subject]} == {s for s in before if s > "10300"}
    ill = {str(row["ID"]) for row in plan(**SMALL).to_dict("records") if row["drawn"] == "DR"}
    milder = keys(severity=(0.1, 0.2))
    assert {subject for subject in before if milder[subject] != before[subject]} == ill
    assert not set(keys(anatomy={"inner_um": 100.0}).values()) & set(before.values())
    assert not set(keys(seed=9).values()) & set(before.values())


def test_whoever_makes_an_eye_is_not_told_a_random_label():
    cohort = plan_phantom(PhantomConfig(labels="random", workers=3))
    assert cohort.workers == 3
    assert not cohort.table["Disease"].equals(cohort.table["drawn"])
    for row in cohort.table.to_dict("records"):
        _, subject = cohort.recipes[str(row["ID"])].make.args  # type: ignore[attr-defined]
        assert subject["Disease"] == subject["drawn"] == row["drawn"]
