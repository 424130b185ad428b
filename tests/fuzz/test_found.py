"""Inputs that fuzzing has found, as short as they get; those of scans are in tests/io/test_before_memory.py."""

import io
import json
import sqlite3
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from kedro.io import DatasetError

from octa_kedro.datasets.settings import ProcessingDataset
from octa_kedro.datasets.source import claim_root
from octa_kedro.errors import CheckpointError, ConfigError, DataError, user_error
from octa_kedro.io.bmp import bitmap_size
from octa_kedro.io.nifti import check_nifti, read_nifti
from octa_kedro.models.files import read_weights
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.checkpoint import load_checkpoint
from octa_kedro.tuning.study import sqlite_reading
from tests.fuzz.targets_of_runs import study_of, write_weights


def test_an_analyze_file_is_no_nifti_file(tmp_path: Path):
    nib.save(nib.Spm2AnalyzeImage(np.zeros((2, 3, 4), np.uint8), np.eye(4)), tmp_path / "eye.hdr")
    for read in (check_nifti, read_nifti):
        with pytest.raises(DataError, match=r"eye\.hdr: not a NIfTI file but a Spm2AnalyzeImage"):
            read(tmp_path / "eye.hdr")


def test_a_torch_file_whose_instructions_are_cut_short_is_named(tmp_path: Path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.pth")
    whole = zipfile.ZipFile(io.BytesIO((tmp_path / "w.pth").read_bytes()))
    with whole, zipfile.ZipFile(tmp_path / "w.pth", "w") as damaged:
        for name in whole.namelist():
            damaged.writestr(name, b"\x80\x02." if name.endswith("data.pkl") else whole.read(name))
    with pytest.raises(CheckpointError, match=r"w\.pth: not a file of plain tensors"):
        read_weights(tmp_path / "w.pth")


def test_a_card_that_is_no_text_is_named(tmp_path: Path):
    write_weights(tmp_path / "checkpoint.safetensors")
    (tmp_path / "checkpoint.json").write_bytes(b'{"kind": "\xff"}')
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: "):
        load_checkpoint(tmp_path / "checkpoint.safetensors")


def test_settings_that_are_damaged_are_named(tmp_path: Path):
    settings = tmp_path / "settings.json"
    ProcessingDataset(filepath=str(settings)).save(ProcessingConfig())
    settings.write_text("{")
    with pytest.raises(DatasetError) as caught:
        ProcessingDataset(filepath=str(settings)).load()
    assert "settings.json: its content has changed" in str(user_error(caught.value))


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", json.dumps({"source": "a\0b"})])
def test_a_claim_that_is_damaged_is_named(tmp_path: Path, content: str):
    (tmp_path / "source.json").write_text(content)
    with pytest.raises(ConfigError, match=r"source\.json: does not say whose results these are"):
        claim_root(tmp_path / "source.json", tmp_path / "eyes")


def test_a_claim_on_a_name_that_is_too_long_is_one_on_what_is_gone(tmp_path: Path):
    (tmp_path / "source.json").write_text(json.dumps({"source": "x" * 5000}))
    claim_root(tmp_path / "source.json", tmp_path / "eyes")
    assert json.loads((tmp_path / "source.json").read_text()) == {"source": "eyes"}


def test_a_search_with_a_damaged_page_is_named(tmp_path: Path):
    study_of(tmp_path / "study.db", told=1)
    data = bytearray((tmp_path / "study.db").read_bytes())
    data[4096:8192] = bytes(4096)
    (tmp_path / "study.db").write_bytes(data)
    with pytest.raises(DataError, match=r"study\.db: damaged .*, or delete it to start over"):
        study_of(tmp_path / "study.db", told=0)


def test_a_search_on_a_full_disk_is_not_to_be_deleted(tmp_path: Path):
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(DataError, match=r"study\.db: cannot be used now .*: what it holds is kept"):  # noqa: SIM117
        with sqlite_reading(tmp_path / "study.db"):
            raise full


def test_pictures_of_other_programs_are_not_started(tmp_path: Path):
    (tmp_path / "1.bmp").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    with pytest.raises(DataError, match=r"1\.bmp: not a readable bitmap"):
        bitmap_size(tmp_path / "1.bmp")
