"""What a NIfTI header states about sizes, directions and numbers is read, or refused with what contradicts it."""

import re
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.nifti_header import read_header
from octa_kedro.io.volume import Volume

SHAPE = (32, 24, 40)
ARRAY = np.random.default_rng(0).integers(1, 255, SHAPE).astype(np.uint8)
SPACING = (3 / 32, 3 / 24, 2 / 40)
TRUE = np.diag([*SPACING, 1.0])
NONE = np.zeros((4, 4))


def save(
    path: Path, *, sform=NONE, qform=TRUE, codes=(0, 0), pixdim=SPACING, array=ARRAY, kind=nib.Nifti1Image, **fields
) -> Path:
    """A file whose header says exactly this; `codes` are those of sform and qform."""
    image = kind(array, None)
    image.set_qform(qform, codes[1], update_affine=False)
    image.set_sform(sform, codes[0], update_affine=False)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    with path.open("r+b") as file:  # nibabel would correct what is wrong
        data = file.read()
        raw = type(image.header)(data[: image.header.sizeof_hdr], check=False)
        raw["pixdim"][1:4] = pixdim
        for name, value in fields.items():
            raw[name] = value
        file.seek(0)
        file.write(raw.binaryblock)
    return path


def read(path: Path) -> Volume:
    NiftiFolder(path).check("a", "OCTA")
    return NiftiFolder(path).volume("a", "OCTA")


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("codes", [(0, 0), (0, 1), (1, 0), (2, 1)])
def test_whatever_states_the_spacing_it_is_read_and_no_axis_is_mirrored(tmp_path: Path, codes, kind):
    volume = read(save(tmp_path / "a.nii", sform=TRUE, codes=codes, kind=kind))
    np.testing.assert_array_equal(volume.array, ARRAY)
    assert volume.spacing == pytest.approx(SPACING)
    assert (np.diag(volume.affine) > 0).all()


def test_where_nobody_states_directions_the_corner_is_the_origin(tmp_path: Path):
    np.testing.assert_allclose(read(save(tmp_path / "a.nii")).affine[:3, 3], np.array(SPACING) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"sform": np.eye(4), "codes": (1, 1)},
            r"different spacings in millimetres: pixdim 0\.09375 x 0\.125 x 0\.05 mm; "
            r"qform 0\.09375 x 0\.125 x 0\.05 mm \(x\+, y\+, z\+\); sform 1 x 1 x 1 mm",
        ),
        ({"sform": np.eye(4), "codes": (1, 0)}, r"different spacings .*pixdim 0\.09.*; qform not set; sform 1 x 1"),
        ({"sform": TRUE * [1.02, 1, 1, 1], "codes": (1, 1)}, "different spacings"),
        (
            {"sform": TRUE * [-1, 1, 1, 1], "codes": (1, 1)},
            r"different directions of the axes: .*qform .*\(x\+, y\+, z\+\); sform .*\(x-, y\+, z\+\)",
        ),
        ({"sform": TRUE, "codes": (1, 1), "quatern_d": 1.0}, r"different directions.*qform .*\(x-, y-, z\+\)"),
        ({"pixdim": (0, 0.1, 0.1)}, "spacing that is not positive and finite: pixdim 0 x 0.1 x 0.1 mm"),
        ({"pixdim": (0, 0.1, 0.1), "sform": TRUE, "codes": (1, 1)}, "spacing that is not positive and finite"),
        ({"pixdim": (-0.1, 0.1, 0.1), "codes": (0, 1)}, "spacing that is not positive and finite"),
        ({"pixdim": (np.nan, 0.1, 0.1)}, "spacing that is not positive and finite: pixdim nan"),
        ({"sform": NONE, "codes": (1, 0)}, "spacing that is not positive and finite.*sform 0 x 0 x 0 mm"),
        ({"quatern_b": 2.0, "codes": (0, 1)}, "its quaternion cannot be"),
        ({"sform_code": 9}, "the sform_code 9 in its header does not exist"),
        ({"qform_code": -1}, "the qform_code -1 in its header does not exist"),
        ({"xyzt_units": 5}, "the unit of length 5 in its header does not exist"),
        ({"intent_code": 1002}, "holds labels; name the scan they were drawn on"),
        ({"intent_code": 1007}, "one grey value a voxel, this file holds vectors"),
        ({"scl_slope": np.inf}, "cannot be computed without losing them; correct scl_slope"),
        ({"scl_slope": 1, "scl_inter": np.nan}, "cannot be computed without losing them"),
        ({"scl_slope": 1, "scl_inter": 1e9}, "cannot be computed without losing them"),
        ({"bitpix": 16}, "states uint8 as well as 16 bits a voxel"),
        ({"datatype": 3}, "a type of numbers that does not exist"),
        ({"dim": [3, 32, 0, 40, 1, 1, 1, 1]}, r"3 axes .*\(32, 0, 40\)"),
        ({"magic": b"ni1"}, "a header without its voxels, or Analyze 7.5"),
    ],
)
def test_contradictions_and_impossible_fields_are_named(tmp_path: Path, changes: dict, words: str):
    path = save(tmp_path / "a.nii", **changes)
    with pytest.raises(DataError, match=rf"a\.nii: .*{words}"):
        NiftiFolder(path).check("a", "OCTA")


@pytest.mark.parametrize(("code", "factor"), [(0, 1.0), (1, 1e-3), (2, 1.0), (3, 1e3)])
def test_every_unit_becomes_millimetres(tmp_path: Path, code: int, factor: float):
    scaled, pixdim = TRUE.copy(), np.array(SPACING) * factor
    scaled[:3] *= factor
    path = save(tmp_path / "a.nii", sform=scaled, codes=(1, 1), qform=scaled, pixdim=pixdim, xyzt_units=code | 8)
    assert read(path).spacing == pytest.approx(SPACING)


@pytest.mark.parametrize("code", [0, 2])
def test_micrometres_that_are_not_labelled_as_that_are_refused(tmp_path: Path, code: int):
    path = save(tmp_path / "a.nii", pixdim=np.array(SPACING) * 1000, xyzt_units=code)
    with pytest.raises(DataError, match=r"a\.nii: along x .*looks like micrometres labelled millimetres"):
        NiftiFolder(path).check("a", "OCTA")


@pytest.mark.parametrize(
    ("kind", "words"), [([("R", "u1"), ("G", "u1"), ("B", "u1")], "colours"), (np.complex64, "complex numbers")]
)
def test_voxels_that_are_no_grey_values_are_refused(tmp_path: Path, kind, words: str):
    path = save(tmp_path / "a.nii", array=np.zeros(SHAPE, kind))
    with pytest.raises(DataError, match=rf"a\.nii: .*this file holds {words}"):
        NiftiFolder(path).check("a", "OCTA")


@pytest.mark.parametrize("shape", [(*SHAPE, 2), (*SHAPE, 1, 3), (32, 24)])
def test_more_or_less_than_one_volume_is_refused(tmp_path: Path, shape: tuple[int, ...]):
    path = save(tmp_path / "a.nii", array=np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=r"a\.nii: a volume has 3 axes"):
        NiftiFolder(path).check("a", "OCTA")


@pytest.mark.parametrize(
    ("slope", "inter", "expected"),
    [(-2.0, 600.0, ARRAY * -2.0 + 600), (0.0, 5.0, ARRAY), (np.nan, 0.0, ARRAY), (1000.0, 0.0, ARRAY * 1000.0)],
)
def test_scaling_is_applied_where_there_is_one(tmp_path: Path, slope: float, inter: float, expected):
    volume = read(save(tmp_path / "a.nii", scl_slope=slope, scl_inter=inter))
    np.testing.assert_array_equal(volume.array, expected)


def test_values_beyond_32_bits_are_refused(tmp_path: Path):
    path = save(tmp_path / "a.nii", array=ARRAY.astype(np.float64) * 1e36, scl_slope=10.0)
    with pytest.raises(DataError, match=r"a\.nii: holds NaN or infinite values"):
        NiftiFolder(path).volume("a", "OCTA")


def test_a_pair_of_files_and_analyze_are_not_read(tmp_path: Path):
    nib.save(nib.Nifti1Pair(ARRAY, TRUE), tmp_path / "a.hdr")
    nib.AnalyzeImage(ARRAY, TRUE).to_filename(tmp_path / "b.img")
    (tmp_path / "subjects.csv").write_text("subject,path\na,a.hdr\nb,b.img\nc,b.hdr\n")
    for subject in "abc":
        with pytest.raises(DataError, match="not a readable NIfTI file"):
            NiftiFolder(tmp_path).check(subject, "OCTA")


def test_zero_in_the_place_of_the_handedness_counts_as_one(tmp_path: Path):
    path = save(tmp_path / "a.nii", codes=(0, 1))
    data = bytearray(path.read_bytes())
    data[76:80] = struct.pack("<f", 0.0)
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path).array, ARRAY)


def test_a_size_in_the_table_has_to_be_that_of_the_header(tmp_path: Path):
    save(tmp_path / "a.nii")
    table = "subject,path,field_x_mm\na,a.nii,{}\n"
    (tmp_path / "subjects.csv").write_text(table.format(3))
    assert NiftiFolder(tmp_path).check("a", "OCTA")["field_of_view_mm"] == 3
    (tmp_path / "subjects.csv").write_text(table.format(6))
    with pytest.raises(DataError, match=r"a\.nii: measures 3 mm by its header, but 6 mm by the column field_x_mm"):
        NiftiFolder(tmp_path).check("a", "OCTA")


@pytest.mark.parametrize("ending", [".nii.zst", ".nii.bz2"])
def test_files_whose_checksum_would_not_be_verified_are_refused(tmp_path: Path, ending: str):
    with pytest.raises(DataError, match=rf"eye{re.escape(ending)}: is compressed in a way that is not read.*unpack it"):
        read_header(tmp_path / f"eye{ending}")
