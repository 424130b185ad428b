import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.phantom import PhantomConfig, PhantomEye, make_eye, plan_cohort

ARRAYS = ("oct", "octa", "surfaces", "lesion")


def digest(eye: PhantomEye) -> str:
    return hashlib.sha256(b"".join(getattr(eye, name).tobytes() for name in ARRAYS)).hexdigest()


def test_table_has_the_columns_and_ids_of_the_release():
    table = plan_cohort(PhantomConfig())
    assert list(table.columns) == ["ID", "Sex", "OS/OD", "Age", "Disease", "fov_mm"]
    assert table["ID"].is_unique
    assert list(table.loc[table.fov_mm == 6, "ID"]) == list(range(10001, 10025))
    assert list(table.loc[table.fov_mm == 3, "ID"]) == list(range(10301, 10325))
    assert table["Disease"].value_counts().to_dict() == {"NORMAL": 16, "DR": 16, "CNV": 16}
    assert set(table["Sex"]) == {"F", "M"}
    assert set(table["OS/OD"]) == {"OD", "OS"}


@pytest.mark.parametrize("column", ["Sex", "OS/OD", "fov_mm"])
def test_no_column_tells_the_disease(column: str):
    table = plan_cohort(PhantomConfig())
    assert (pd.crosstab(table["Disease"], table[column]).to_numpy() == 8).all()


def test_ages_are_alike_in_every_disease():
    ages = plan_cohort(PhantomConfig()).groupby("Disease")["Age"].mean()
    assert ages.max() - ages.min() < 3


def test_diseases_are_interleaved():
    table = plan_cohort(PhantomConfig())
    assert table["Disease"].head(8).nunique() > 1
    assert not plan_cohort(PhantomConfig(seed=2))["Disease"].equals(table["Disease"])


def test_same_seed_same_table():
    pd.testing.assert_frame_equal(plan_cohort(PhantomConfig()), plan_cohort(PhantomConfig()))


def test_same_seed_same_bytes_whatever_was_made_before(small: PhantomConfig):
    table = plan_cohort(small)
    last = make_eye(small, table.iloc[-1])
    for _, row in table.iloc[:2].iterrows():
        make_eye(small, row)
    assert digest(make_eye(small, int(table["ID"].iloc[-1]))) == digest(last)


def test_same_bytes_in_a_fresh_process(small: PhantomConfig):
    script = (
        "import sys, hashlib\n"
        "from octa_kedro.phantom import PhantomConfig, make_eye\n"
        "eye = make_eye(PhantomConfig.model_validate_json(sys.argv[1]), 10301)\n"
        "parts = (eye.oct, eye.octa, eye.surfaces, eye.lesion)\n"
        "sys.stdout.write(hashlib.sha256(b''.join(p.tobytes() for p in parts)).hexdigest())\n"
    )
    command = [sys.executable, "-c", script, small.model_dump_json()]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True)
    assert fresh.stdout == digest(make_eye(small, 10301))


def test_other_seed_other_eye(small: PhantomConfig):
    row = plan_cohort(small).iloc[0]
    other = make_eye(small.model_copy(update={"seed": 8}), row)
    assert (other.surfaces != make_eye(small, row).surfaces).mean() > 0.9


def test_unknown_subject_is_named(small: PhantomConfig):
    with pytest.raises(ConfigError, match="99999"):
        make_eye(small, 99999)


def test_unknown_field_of_view_is_named(small: PhantomConfig):
    row = {**plan_cohort(small).iloc[0].to_dict(), "fov_mm": 4.5}
    with pytest.raises(ConfigError, match="fov_mm"):
        make_eye(small, row)


def test_ids_may_be_numpy_integers(small: PhantomConfig):
    assert make_eye(small, np.int64(10301)).octa.shape == (48, 48, 192)
