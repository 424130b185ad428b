"""Whatever is written comes back in value, orientation and spacing: NIfTI files and releases of any layout."""

import gzip
import tempfile
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff

from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.nifti_grid import read_grid
from octa_kedro.io.release import Octa500Release
from tests.conftest import write_bscans

UNITS = {"mm": 1.0, "micron": 1e3, "meter": 1e-3, "unknown": 1.0}
KINDS = ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "<i4", ">i4", "<f4", ">f4", "<f8", ">f8"]

orders = st.tuples(st.permutations(range(3)), st.tuples(*[st.sampled_from([1, -1])] * 3))
steps = st.floats(0.15, 0.45)
spacings = st.tuples(steps, steps, st.floats(0.08, 0.14))
shapes = st.tuples(st.integers(8, 14), st.integers(8, 14), st.integers(8, 20))


def random_scan(seed: int, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Whole numbers that every kind can hold, with both ends of -9 .. 99 (0 .. 99 without a sign) among them."""
    low = 0 if "u" in kind else -9
    array = np.random.default_rng(seed).integers(low, 99, shape)
    array[0, 0, :2] = low, 99
    return array.astype(kind)


@given(
    seed=st.integers(0, 2**32 - 1), shape=shapes, spacing=spacings, order=orders, kind=st.sampled_from(KINDS),
    unit=st.sampled_from([*UNITS]), codes=st.sampled_from([(1, 0), (0, 1), (2, 1), (0, 0)]),
    slope=st.sampled_from([None, 1.0, 0.25, -2.0]), inter=st.sampled_from([0.0, -16.0, 100.0]),
    suffix=st.sampled_from([".nii", ".nii.gz"]), version=st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
    origin=st.tuples(*[st.floats(-50, 50)] * 3), trailing=st.integers(0, 2),
)  # fmt: skip
def test_a_nifti_file_comes_back(
    *, seed, shape, spacing, order, kind, unit, codes, slope, inter, suffix, version, origin, trailing
):
    array = random_scan(seed, shape, kind)
    stored = np.array([*zip(*order, strict=True)]) if any(codes) else np.array([(0, 1), (1, 1), (2, 1)])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    there = affine @ inv_ornt_aff(stored, shape)
    there[:3] *= UNITS[unit]
    voxels = apply_orientation(array, stored)
    image = version(voxels.reshape(voxels.shape + (1,) * trailing), None)
    image.header.set_data_dtype(kind)
    image.header["pixdim"][1:4] = np.linalg.norm(there[:3, :3], axis=0)
    image.set_qform(there, codes[1], update_affine=False)
    image.set_sform(there, codes[0], update_affine=False)
    image.header.set_xyzt_units(unit)
    if slope is not None:
        image.header.set_slope_inter(slope, inter)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}")
        write_numbers(image, path, big=kind.startswith(">"))
        source = NiftiFolder(path)
        volume, size = source.volume("a", "OCTA"), source.check("a", "OCTA")
        values = array if slope is None else array * slope + inter
        np.testing.assert_allclose(volume.array, values)
        assert volume.array.dtype.isnative
        assert (size["width"], size["n_bscans"], size["depth"]) == shape
        np.testing.assert_allclose(volume.spacing, spacing, rtol=1e-5)
        if any(codes):
            np.testing.assert_allclose(volume.affine, affine, rtol=1e-5, atol=1e-4)


def write_numbers(image: nib.Nifti1Image, path: Path, *, big: bool) -> None:
    """The numbers as they are, and not divided by the slope as nibabel's own writer does."""
    header, numbers = image.header, np.asanyarray(image.dataobj)
    with nib.openers.ImageOpener(path, "wb") as file:
        header.set_data_offset(header.single_vox_offset)
        header["magic"] = header.single_magic
        header = header.as_byteswapped(">" if big else "<")
        header.write_to(file)
        file.write(numbers.astype(header.get_data_dtype()).tobytes(order="F"))


@given(
    seed=st.integers(0, 2**32 - 1), field=st.integers(2, 12), part=st.sampled_from(["", "part 1", "a/b"]),
    spelling=st.sampled_from(["OCTA_{}mm", "OCTA_{}M", "octa_{}MM"]), more=st.tuples(*[st.integers(0, 3)] * 2),
    depth=st.integers(4, 20),
)  # fmt: skip
def test_a_release_comes_back(*, seed, field, part, spelling, more, depth):
    shape = (2 * field + more[0], 2 * field + more[1], depth)
    array = random_scan(seed, shape, "u1")
    with tempfile.TemporaryDirectory() as folder:
        for modality, scan in {"OCT": array, "OCTA": array[::-1]}.items():
            write_bscans(Path(folder, part, spelling.format(field), modality, "10001"), scan)
        source = Octa500Release(Path(folder))
        assert source.subjects() == ["10001"]
        for modality, scan in {"OCT": array, "OCTA": array[::-1]}.items():
            volume = source.volume("10001", modality)
            np.testing.assert_array_equal(volume.array, scan)
            np.testing.assert_allclose(volume.extent_mm, (field, field, 2.0))
            assert source.check("10001", modality) == {
                "field_of_view_mm": field, "width": shape[0], "n_bscans": shape[1], "depth": depth
            }  # fmt: skip


@pytest.mark.parametrize("codes", [(1, 0), (0, 1)])
@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("signs", [*product([1, -1], repeat=3)])
def test_no_order_of_axes_of_a_large_scan_is_taken_for_a_tilt(tmp_path: Path, codes, order, signs):
    """A quaternion has 32 bits, and 1024 voxels of 12 um tilt by little before they cross one of 2 um."""
    spacing, shape = np.array([0.0117, 0.0123, 0.0019]), np.array([1024, 1000, 1536])
    stored = np.array([*zip(order, signs, strict=True)])
    there = np.diag([*spacing, 1.0]) @ inv_ornt_aff(stored, shape)
    header = nib.Nifti1Header()
    header.set_data_dtype("u1")
    header.set_data_shape(apply_orientation(np.broadcast_to(np.uint8(0), shape), stored).shape)
    header.set_qform(there, codes[1])
    header.set_sform(there, codes[0])
    header["pixdim"][1:4] = np.linalg.norm(there[:3, :3], axis=0)
    header["magic"], header["vox_offset"] = header.single_magic, 352
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header.binaryblock))
    grid = read_grid(tmp_path / "a.nii.gz")
    assert grid.shape == tuple(shape)
    np.testing.assert_allclose(grid.spacing, spacing, rtol=1e-6)
    np.testing.assert_allclose(grid.affine[:3, 3], 0, atol=1e-4)
