import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from tests.phantom.conftest import MakeEye

ARRAYS = ("oct", "octa", "surfaces", "lesion")
ROW = {"ID": 10301, "Sex": "F", "OS/OD": "OS", "Age": 50, "Disease": "DR", "fov_mm": 3.0}


def digest(eye: PhantomEye) -> str:
    return hashlib.sha256(b"".join(getattr(eye, name).tobytes() for name in ARRAYS)).hexdigest()


def test_same_seed_same_bytes_whatever_was_made_before(sparse: PhantomConfig):
    table = plan_cohort(sparse)
    last = make_eye(sparse, table.iloc[-1])
    for _, row in table.iloc[:2].iterrows():
        make_eye(sparse, row)
    assert digest(make_eye(sparse, int(table["ID"].iloc[-1]))) == digest(last)


def test_same_bytes_in_a_fresh_process(sparse: PhantomConfig):
    script = (
        "import sys, hashlib\n"
        "from octa_kedro.phantom.config import PhantomConfig\n"
        "from octa_kedro.phantom.scan import make_eye\n"
        "eye = make_eye(PhantomConfig.model_validate_json(sys.argv[1]), 10301)\n"
        "parts = (eye.oct, eye.octa, eye.surfaces, eye.lesion)\n"
        "sys.stdout.write(hashlib.sha256(b''.join(p.tobytes() for p in parts)).hexdigest())\n"
    )
    command = [sys.executable, "-c", script, sparse.model_dump_json()]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True)
    assert fresh.stdout == digest(make_eye(sparse, 10301))


@pytest.mark.parametrize("change", [{"seed": 8}, {"ID": 10302}])
def test_other_seed_or_subject_other_eye(sparse: PhantomConfig, sparse_eye: MakeEye, change: dict[str, int]):
    config = sparse.model_copy(update={"seed": change.get("seed", sparse.seed)})
    other = make_eye(config, ROW | {"Disease": "NORMAL", "OS/OD": "OD", "ID": change.get("ID", 10301)})
    usual = sparse_eye("NORMAL")
    assert (other.surfaces != usual.surfaces).mean() > 0.9
    assert (other.octa != usual.octa)[usual.octa > 0].mean() > 0.7


@pytest.mark.parametrize("disease", ["CNV", "RVO"])
def test_the_healthy_twin_is_the_normal_eye_of_the_same_subject(sparse_eye: MakeEye, disease: str):
    assert digest(sparse_eye(disease, with_lesion=False)) == digest(sparse_eye("NORMAL"))


def test_a_disease_of_no_severity_is_none(sparse: PhantomConfig, sparse_eye: MakeEye):
    row = ROW | {"OS/OD": "OD", "severity": 0.0}
    assert digest(make_eye(sparse, row)) == digest(sparse_eye("NORMAL"))


def test_an_eye_of_the_table_is_that_of_its_id(sparse: PhantomConfig):
    row = plan_cohort(sparse).set_index("ID", drop=False).loc[10302]
    assert digest(make_eye(sparse, row)) == digest(make_eye(sparse, 10302)) == digest(make_eye(sparse, row.to_dict()))


def test_ids_may_be_numpy_integers(sparse: PhantomConfig):
    assert make_eye(sparse, np.int64(10301)).octa.shape == (48, 48, 192)


def test_a_row_that_says_no_more_is_a_good_scan_at_full_severity(sparse: PhantomConfig):
    full = ROW | {"drawn": "DR", "severity": 1.0, "quality": "good"}
    assert digest(make_eye(sparse, ROW)) == digest(make_eye(sparse, full))


def test_an_eye_does_not_depend_on_its_label_or_age_or_sex(sparse: PhantomConfig):
    row = ROW | {"drawn": "DR"}
    other = row | {"Disease": "NORMAL", "Age": 71, "Sex": "M"}
    assert digest(make_eye(sparse, other)) == digest(make_eye(sparse, row))


def test_an_eye_does_not_depend_on_the_rest_of_the_cohort(sparse: PhantomConfig, sparse_eye: MakeEye):
    larger = sparse.model_copy(update={"subjects": {"NORMAL": 9}, "workers": 3, "poor_share": 0.5})
    row = ROW | {"Disease": "NORMAL", "OS/OD": "OD"}
    assert digest(make_eye(larger, row)) == digest(sparse_eye("NORMAL"))


def test_unknown_subject_is_named(sparse: PhantomConfig):
    with pytest.raises(ConfigError, match="99999"):
        make_eye(sparse, 99999)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fov_mm": 4.5}, r"fov_mm: 4\.5"),
        ({"quality": "foggy"}, "quality: foggy"),
        ({"Disease": "GLAUCOMA"}, "disease: 'GLAUCOMA'"),
        ({"severity": 1.5}, r"severity: 1\.5"),
    ],
)
def test_what_a_row_gets_wrong_is_named(sparse: PhantomConfig, change: dict[str, Any], named: str):
    with pytest.raises(ConfigError, match=named):
        make_eye(sparse, ROW | change)
