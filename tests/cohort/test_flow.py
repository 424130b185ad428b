"""The flow of eyes, counted by hand."""

import io

import pandas as pd
import pytest

from octa_kedro.cohort.flow import flow_table, flow_text, leave, start_flow
from octa_kedro.errors import DataError


@pytest.fixture
def flow() -> pd.DataFrame:
    eyes = pd.DataFrame(
        {
            "subject": ["1", "2", "3", "4", "5", "6"],
            "disease": ["NORMAL", "NORMAL", "DR", "DR", "OTHERS", "DR"],
            "label": ["NORMAL", "NORMAL", "DR", "DR", "", "DR"],
            "field_of_view_mm": [3.0, 6.0, 3.0, 6.0, 6.0, float("nan")],
        }
    )
    return start_flow(eyes)


def test_in_out_and_why_add_up(flow: pd.DataFrame):
    flow = leave(flow, "class", {"5": "OTHERS is in no class"})
    flow = leave(flow, "quality", {"1": "tilt", "4": "tilt", "6": "signal"})
    table = flow_table(flow)
    assert table[["step", "reason", "eyes"]].to_numpy().tolist() == [
        ["all eyes", "", 6],
        ["class", "OTHERS is in no class", 1],
        ["quality", "signal", 1],
        ["quality", "tilt", 2],
        ["take part", "", 2],
    ]
    groups = ["DR, 3 mm", "DR, 6 mm", "DR, field unknown", "NORMAL, 3 mm", "NORMAL, 6 mm", "no class, 6 mm"]
    assert list(table.columns[3:]) == groups
    assert table[groups].iloc[-1].tolist() == [1, 0, 0, 0, 1, 0]
    counts = table.drop(columns=["step", "reason"])
    assert counts.iloc[0].tolist() == counts.iloc[1:].sum().tolist()
    assert flow_text(table).startswith("2 of 6 eyes take part, 4 left:")


def test_steps_keep_their_order_and_the_first_reason_stays(flow: pd.DataFrame):
    flow = leave(flow, "processing", {"1": "diverged"})
    flow = leave(flow, "exclusion list", {"1": "damaged", "2": "damaged"})
    assert flow_table(flow)["step"].tolist() == ["all eyes", "exclusion list", "processing", "take part"]
    assert flow.set_index("subject")["reason"].loc[["1", "2"]].tolist() == ["diverged", "damaged"]


def test_it_survives_a_csv_file_and_changes_nothing_it_is_given(flow: pd.DataFrame):
    before = flow.copy()
    left = leave(flow, "files", {"3": "gap"})
    pd.testing.assert_frame_equal(flow, before)
    again = pd.read_csv(io.StringIO(left.to_csv(index=False)))
    pd.testing.assert_frame_equal(flow_table(again), flow_table(left))
    assert leave(again, "quality", {"1": "tilt"}).query("left_at == 'quality'")["subject"].tolist() == ["1"]


def test_unknown_step_or_eye_is_named(flow: pd.DataFrame):
    with pytest.raises(DataError, match="no step 'luck'; choose from label sheet"):
        leave(flow, "luck", {})
    with pytest.raises(DataError, match="step quality: subject 99 is not among those"):
        leave(flow, "quality", {"99": "tilt"})
