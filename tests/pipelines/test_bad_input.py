"""Bad input ends in a one-line error that names it, before any training starts."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DatasetError

from octa_kedro.errors import OctaError, user_error
from tests.pipelines.conftest import kedro, run


def first_error(project: Path, **what: Any) -> str:
    with pytest.raises((OctaError, DatasetError, ValueError)) as caught:
        run(project, **what)
    assert not (project / "data" / "test" / "06_models").exists()
    return str(user_error(caught.value) or caught.value)


def edit_sheets(project: Path, change) -> None:
    for path in (project / "data/test/01_raw/phantom").glob("*/Text labels.xlsx"):
        change(pd.read_excel(path)).to_excel(path, index=False)


REST = {"pipeline_names": ["data_processing", "training_3d"]}


def test_missing_folder(project: Path):
    message = first_error(project, params={"source": {"path": "nowhere"}}, **REST)
    assert "nowhere: no such folder" in message


def test_gap_in_the_bscans(with_release: Path):
    path = next(with_release.glob("data/test/01_raw/phantom/OCTA_6mm/OCTA/*/7.bmp"))
    path.unlink()
    words = f"OCTA_6mm/OCTA/{path.parent.name}: B-scans are numbered from 1 to 44 but 7 is missing"
    assert words in first_error(with_release, **REST)


def test_unreadable_bitmap(with_release: Path):
    path = next(with_release.glob("data/test/01_raw/phantom/OCTA_6mm/OCTA/*/7.bmp"))
    path.write_bytes(path.read_bytes()[:-500])
    assert f"OCTA_6mm/OCTA/{path.parent.name}/7.bmp: " in first_error(with_release, **REST)


def test_class_with_fewer_subjects_than_folds(with_release: Path):
    edit_sheets(
        with_release, lambda t: t[(t["Disease"] != "CNV") | (t["ID"] == t.loc[t["Disease"] == "CNV", "ID"].min())]
    )
    assert "disease CNV has 2 subjects, but 2 folds and a hold-out need at least 3" in first_error(with_release, **REST)


def test_sheet_without_a_needed_column(with_release: Path):
    edit_sheets(with_release, lambda t: t.rename(columns={"Disease": "Diagnosis"}))
    assert "needs the column Disease; it has ID, Sex, OS/OD, Age, Diagnosis" in first_error(with_release, **REST)


def test_duplicate_ids(with_release: Path):
    edit_sheets(with_release, lambda t: pd.concat([t, t.iloc[-1:]]))
    assert "occurs more than once (rows 7 and 8); keep one row" in first_error(with_release, **REST)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"trainign_3d": {"max_epochs": 1}}, "'trainign_3d' is unknown, did you mean 'training_3d'?"),
        ({"trainng_3d": {"model": {"name": "resnet34"}}}, "'trainng_3d' is unknown, did you mean 'training_3d'?"),
        ({"seed": 2}, "'seed' is unknown"),
        ({"processing": {"slabs": ["ILM_OLP"]}}, "processing.slabs: slab 'ILM_OLP' is unknown; did you mean ILM_OPL"),
        ({"processing": {"slabs": ["OPL_BM"]}}, "training_2d.slabs: ILM_OPL is not among processing.slabs"),
        ({"training_3d": {"max_epoch": 1}}, "training_3d.max_epoch: unknown parameter, did you mean max_epochs?"),
        ({"training_3d": {"model": {"name": "resnet19"}}}, "no 3D network 'resnet19'"),
        (
            {"training_2d": {"slabs": ["ILM_OPL", "OPL_BM"]}},
            "parameter training_2d.model.in_channels is 1, but the input has 2",
        ),
        ({"processing": {"grid": [32, 32]}}, "processing.grid"),
        ({"splits": {"folds": 7}}, "splits.folds is 7, but the pipelines have 2 folds"),
        ({"source": {"folder": "x"}}, "source.folder: unknown parameter, known: path"),
        ({"phantom": {"subjects": {"GLAUCOMA": 3}}}, "GLAUCOMA"),
    ],
)
def test_misspelt_and_impossible_parameters(project: Path, params: dict, words: str):
    assert words in first_error(project, params=params)
    assert not (project / "data").exists()


def test_the_command_line_shows_one_line(project: Path):
    result = kedro(project, "run", "--env", "test", "--pipelines", "data_processing", "--params", "source.path=nowhere")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr + result.stdout
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ERROR: ")
    assert "nowhere: no such folder" in last


def test_the_command_line_names_a_misspelt_key(project: Path):
    result = kedro(project, "run", "--env", "test", "--params", "training_3d.max_epoch=3")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr + result.stdout
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ERROR: ")
    assert "training_3d.max_epoch: unknown parameter" in last
