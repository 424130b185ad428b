import hashlib
import subprocess
import sys

import numpy as np
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.phantom import PhantomConfig, PhantomEye, make_eye, plan_cohort

ARRAYS = ("oct", "octa", "surfaces", "lesion")


def digest(eye: PhantomEye) -> str:
    return hashlib.sha256(b"".join(getattr(eye, name).tobytes() for name in ARRAYS)).hexdigest()


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


def test_a_row_that_says_no_more_is_a_good_scan_at_full_severity(small: PhantomConfig):
    row = {"ID": 10301, "Sex": "F", "OS/OD": "OS", "Age": 50, "Disease": "DR", "fov_mm": 3.0}
    full = row | {"drawn": "DR", "severity": 1.0, "quality": "good"}
    assert digest(make_eye(small, row)) == digest(make_eye(small, full))
    healthy = row | {"Disease": "NORMAL"}
    assert digest(make_eye(small, healthy)) == digest(make_eye(small, healthy | {"severity": 0.0}))


def test_an_eye_does_not_depend_on_its_label(small: PhantomConfig):
    row = plan_cohort(small).iloc[0].to_dict()
    other = "NORMAL" if row["drawn"] != "NORMAL" else "DR"
    assert digest(make_eye(small, row | {"Disease": other})) == digest(make_eye(small, row))
