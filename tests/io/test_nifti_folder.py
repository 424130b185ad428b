"""A folder of NIfTI files: with a table of many columns, without one, and with files that lie."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.nifti import read_nifti, write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.volume import scan_affine

SHAPE = (5, 4, 20)
AFFINE = scan_affine(SHAPE, (2.0, 1.6, 2.0))
OCTA = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.uint8)
SURFACES_MM = np.array([0.3, 0.8, 1.2], np.float32) * np.ones((5, 4, 1), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, array in {"a": OCTA, "a_oct": OCTA[::-1], "b": OCTA + 1}.items():
        write_nifti(tmp_path / f"{name}.nii.gz", np.ascontiguousarray(array), AFFINE)
    write_nifti(tmp_path / "a_surfaces.nii", SURFACES_MM, AFFINE)
    write_nifti(tmp_path / "a_lesion.nii", (OCTA > 80).astype(np.uint8) * 7, AFFINE)
    table = pd.DataFrame(
        {
            "subject": ["a", "b"],
            "path": ["a.nii.gz", "b.nii.gz"],
            "label": ["DR", "NORMAL"],
            "patient": ["p1", "p1"],
            "laterality": ["os", "Right"],
            "oct_path": ["a_oct.nii.gz", ""],
            "surfaces_path": ["a_surfaces.nii", ""],
            "lesion_path": ["a_lesion.nii", ""],
            "age": ["63,5", ""],
        }
    )
    table.to_csv(tmp_path / "subjects.csv", index=False, sep=";")
    return tmp_path


def test_each_column_leads_to_its_file(folder: Path):
    source = NiftiFolder(folder)
    np.testing.assert_array_equal(source.volume("a", "OCTA").array, OCTA)
    np.testing.assert_array_equal(source.volume("a", "OCT").array, OCTA[::-1])
    np.testing.assert_array_equal(source.volume("b", "OCT").array, OCTA + 1)
    assert (source.volume("a", "OCT").laterality, source.volume("b", "OCT").laterality) == ("OS", "OD")
    np.testing.assert_array_equal(source.lesion("a").array, OCTA > 80)
    assert source.surfaces("a").names == ("ILM", "OPL_ONL", "BM")
    np.testing.assert_array_equal(source.surfaces("a").array, SURFACES_MM)
    assert (source.lesion("b"), source.surfaces("b")) == (None, None)
    assert source.projection("a", "OCTA(FULL)") is None


def test_patient_and_side_are_passed_on(folder: Path):
    labels = NiftiFolder(folder).labels().set_index("subject")
    assert labels["disease"].to_dict() == {"a": "DR", "b": "NORMAL"}
    assert labels["patient"].to_dict() == NiftiFolder(folder).patients() == {"a": "p1", "b": "p1"}
    assert labels["laterality"].to_dict() == {"a": "OS", "b": "OD"}
    assert labels.loc["a", "age"] == 63.5
    assert "oct_path" not in labels.columns


def test_a_folder_without_a_table_is_unlabelled(tmp_path: Path):
    write_nifti(tmp_path / "one.nii", OCTA, AFFINE)
    write_nifti(tmp_path / "two.nii.gz", OCTA, AFFINE)
    (tmp_path / "notes.txt").write_text("no volume")
    source = NiftiFolder(tmp_path)
    assert source.subjects() == ["one", "two"]
    assert source.check("two", "OCTA") == {"field_of_view_mm": 2.0, "width": 5, "n_bscans": 4, "depth": 20}
    np.testing.assert_array_equal(source.volume("one", "OCTA").array, OCTA)
    with pytest.raises(DataError, match=r"has no table with the column label \(it would be subjects\.csv"):
        source.labels()
    write_nifti(tmp_path / "one.nii.gz", OCTA, AFFINE)
    with pytest.raises(DataError, match=r"subject one has two files, one\.nii and one\.nii\.gz"):
        NiftiFolder(tmp_path).subjects()


def test_an_empty_or_missing_folder_says_what_it_needs(tmp_path: Path):
    with pytest.raises(DataError, match=r"subjects\.csv: no such file, nor any of \.nii\.gz, \.nii"):
        NiftiFolder(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        NiftiFolder(tmp_path / "nowhere")


def test_a_flipped_scan_is_turned_with_its_mask_and_surfaces(folder: Path):
    flipped = AFFINE.copy()
    flipped[0, 0], flipped[0, 3] = -AFFINE[0, 0], AFFINE[0, 3] + AFFINE[0, 0] * 4
    before = NiftiFolder(folder)
    surfaces = SURFACES_MM + np.arange(5, dtype=np.float32)[:, None, None] / 50
    write_nifti(folder / "a_surfaces.nii", surfaces, AFFINE)
    kept = before.volume("a", "OCTA"), before.lesion("a"), before.surfaces("a")
    write_nifti(folder / "a.nii.gz", np.ascontiguousarray(OCTA[::-1]), flipped)
    write_nifti(folder / "a_lesion.nii", np.ascontiguousarray((OCTA > 80)[::-1]).astype(np.uint8), flipped)
    write_nifti(folder / "a_surfaces.nii", np.ascontiguousarray(surfaces[::-1]), flipped)
    after = NiftiFolder(folder)
    for old, new in zip(kept, (after.volume("a", "OCTA"), after.lesion("a"), after.surfaces("a")), strict=True):
        np.testing.assert_array_equal(new.array, old.array)
        np.testing.assert_allclose(new.affine, old.affine, atol=1e-6)


def test_lengths_in_micrometres_become_millimetres(tmp_path: Path):
    affine = np.diag([300, 400, 31.25, 1])
    image = nib.Nifti1Image(OCTA, affine)
    image.header.set_xyzt_units("micron")
    image.to_filename(tmp_path / "a.nii")
    assert NiftiFolder(tmp_path).volume("a", "").spacing == pytest.approx((0.3, 0.4, 0.03125))
    assert NiftiFolder(tmp_path).check("a", "")["field_of_view_mm"] == 1.5
    assert read_nifti(tmp_path / "a.nii")[1][2, 2] == pytest.approx(0.03125)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(SHAPE, np.uint8), "every voxel is 1"),
        (np.where(OCTA > 80, np.nan, OCTA).astype(np.float32), "NaN or infinite"),
        (np.ones((5, 4, 3, 2), np.uint8), "3 axes"),
        (np.ones((5, 4), np.uint8), "3 axes"),
    ],
)
def test_volumes_that_show_nothing_are_named(tmp_path: Path, array: np.ndarray, words: str):
    write_nifti(tmp_path / "a.nii", array, AFFINE)
    with pytest.raises(DataError, match=rf"a\.nii: .*{words}"):
        NiftiFolder(tmp_path).volume("a", "OCTA")


@pytest.mark.parametrize("depth", [10, 40])
def test_a_header_that_disagrees_with_its_data_is_named(tmp_path: Path, depth: int):
    path = tmp_path / "a.nii"
    write_nifti(path, OCTA, AFFINE)
    data = bytearray(path.read_bytes())
    data[46:48] = depth.to_bytes(2, "little")  # dim[3]
    path.write_bytes(data)
    for function in (NiftiFolder(tmp_path).check, NiftiFolder(tmp_path).volume):
        with pytest.raises(DataError, match=rf"a\.nii: its header states 5 x 4 x {depth} voxels"):
            function("a", "OCTA")


def write_surfaces(folder: Path, array: np.ndarray) -> None:
    write_nifti(folder / "a_surfaces.nii", array, AFFINE)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (SURFACES_MM * 10, "they look like voxels: write"),
        (SURFACES_MM * 1000, "below the scan, which is 2 mm deep; they look like micrometres: write them in"),
        (SURFACES_MM + 1, "BM outside the scan's"),
        (SURFACES_MM[..., ::-1].copy(), "ILM and OPL_ONL, OPL_ONL and BM cross"),
        (SURFACES_MM[:4], r"surfaces of shape \(4, 4, 3\)"),
        (np.ones((5, 4, 4), np.float32), r"surfaces of shape \(5, 4, 4\)"),
    ],
)
def test_surfaces_that_do_not_fit_are_named(folder: Path, array: np.ndarray, words: str):
    write_surfaces(folder, array)
    with pytest.raises(DataError, match=rf"a_surfaces\.nii.*{words}"):
        NiftiFolder(folder).surfaces("a")


def test_a_mask_on_another_grid_is_named(folder: Path):
    write_nifti(folder / "a_lesion.nii", np.ones((5, 4, 19), np.uint8), AFFINE)
    with pytest.raises(DataError, match=r"a_lesion\.nii: mask of shape \(5, 4, 19\), but the scan of a has"):
        NiftiFolder(folder).lesion("a")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("laterality", "both", "subject a: laterality 'both'; write OD or OS"),
        ("subject", "b", r"subject b occurs more than once \(rows 2 and 3\)"),
        ("subject", " ", "row 2 has no subject"),
    ],
)
def test_bad_cells_are_named(folder: Path, column: str, value: str, words: str):
    table = pd.read_csv(folder / "subjects.csv", sep=";", keep_default_na=False)
    table.loc[0, column] = value
    table.to_csv(folder / "subjects.csv", index=False)
    with pytest.raises(DataError, match=rf"subjects\.csv: {words}"):
        NiftiFolder(folder).subjects()


def test_the_fingerprint_follows_every_file_and_the_side(folder: Path):
    prints = {NiftiFolder(folder).fingerprint("a", "OCTA")}
    write_surfaces(folder, SURFACES_MM + 0.01)
    prints.add(NiftiFolder(folder).fingerprint("a", "OCTA"))
    table = pd.read_csv(folder / "subjects.csv", sep=";", keep_default_na=False).assign(laterality="OD")
    table.to_csv(folder / "subjects.csv", index=False)
    prints.add(NiftiFolder(folder).fingerprint("a", "OCTA"))
    prints.add(NiftiFolder(folder).fingerprint("a", "OCTA", "OCT"))
    assert len(prints) == 4
