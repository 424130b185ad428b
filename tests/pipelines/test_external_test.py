"""A second labelled cohort through frozen networks: what is judged, what is refused, and what lies on the page."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octa_kedro.errors import DataError, LeakError, user_error
from octa_kedro.evaluation.predictions import EXTERNAL, FROZEN_TEMPERATURE, FROZEN_THRESHOLD
from octa_kedro.report.checklists import OF_A_SECOND_COHORT
from tests.pipelines.conftest import PHANTOM, catalog, run

ANOTHER = {"seed": 5, "subjects": {"NORMAL": 3, "DR": 3, "CNV": None}}
SECOND = Path("data/test/01_raw/second_cohort")
JUDGED = {"external_test": {"same_names": "other_people"}}


@pytest.fixture(scope="module")
def judged(mission: tuple[Path, str]) -> Any:
    """The catalog after an external test on a phantom of another seed."""
    project, _ = mission
    run(project, pipeline_names=["phantom"], params={"phantom": ANOTHER, "source": {"path": str(SECOND)}})
    run(project, pipeline_names=["external_test"], params=JUDGED)
    return catalog(project)


@pytest.mark.slow
def test_every_network_judges_every_eye_and_nothing_is_refitted(judged: Any):
    pooled, metrics = judged.load("external_test.predictions"), judged.load("evaluation.metrics")
    calibration = judged.load("evaluation.calibration")
    assert set(pooled["part"]) == {EXTERNAL}
    assert set(pooled["subject"]) == set(judged.load("external_test.splits")["subject"])
    for model, rows in pooled.groupby("model"):
        assert set(rows[FROZEN_THRESHOLD]) == set(metrics.loc[metrics["model"] == model, "threshold"])
        own = calibration.loc[calibration["model"] == model, "temperature"]
        np.testing.assert_array_equal(rows[FROZEN_TEMPERATURE].unique(), own.unique())
        assert set(rows["networks"]) == {2}
    each = judged.load("external_test.training_3d.fold_2.predictions").set_index("subject")["probability"]
    single = judged.load("external_test.fold_predictions")
    own = single[(single["model"] == "training_3d") & (single["fold"] == 2)].set_index("subject")["probability"]
    assert own.to_dict() == each.to_dict()


@pytest.mark.slow
def test_the_report_has_the_evaluation_and_the_shift(judged: Any, mission: tuple[Path, str]):
    text = judged.load("external_test.report_text")
    titles = ("Second cohort beside development cohort", "Shift from the development cohort", "Floors", "Calibration",
              "Subgroups", "Comparisons of all pairs", "What reviewers ask for")  # fmt: skip
    assert all(f"\n## {title}\n" in text for title in titles)
    assert "Names were not compared" in text
    assert all(one.topic in text for one in OF_A_SECOND_COHORT)
    page = next((mission[0] / "data/test/external/second_cohort/reporting/report.html").glob("*/report.html"))
    assert page.read_text().count("data:image/png") >= 9
    shift = judged.load("external_test.shift").set_index("variable")
    assert {"age, years", "signal, dB", "volume, mean grey level", "disease DR"} <= set(shift.index)
    assert judged.load("external_test.splits")["field_of_view_mm"].notna().all()


def error_of(project: Path, **external: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro wraps what a dataset raises
        run(project, pipeline_names=["external_test"], params={"external_test": external})
    found = user_error(caught.value)
    assert isinstance(found, Exception)
    return found


def test_the_development_cohort_is_no_second_one(mission: tuple[Path, str]):
    error = error_of(mission[0], path=str(PHANTOM), name="same")
    assert isinstance(error, LeakError)
    assert "12 of 12 eyes (10001, 10002" in str(error)
    assert "external_test.same_names=other_people" in str(error)


def test_an_image_of_the_development_cohort_is_refused_under_another_name(mission: tuple[Path, str], tmp_path: Path):
    shutil.copytree(mission[0] / PHANTOM, tmp_path / "again", ignore=shutil.ignore_patterns(".written"))
    error = error_of(mission[0], path=str(tmp_path / "again"), same_names="other_people", name="again")
    assert isinstance(error, LeakError)
    assert "images are those of development eyes" in str(error)


def test_without_a_second_cohort_the_run_says_where_it_looks(mission: tuple[Path, str], tmp_path: Path):
    error = error_of(mission[0], path=str(tmp_path / "nowhere"))
    assert isinstance(error, DataError)
    assert "nowhere" in str(error)
