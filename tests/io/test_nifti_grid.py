"""Files of one eye lie over each other by their affines, however each is stored; tilted ones are refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from octa_kedro.errors import DataError
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.volume import scan_affine

SHAPE = (10, 8, 20)
AFFINE = scan_affine(SHAPE, (3.0, 2.4, 2.0))
SCAN = np.random.default_rng(0).integers(1, 90, SHAPE).astype(np.uint8)
MASK = (SCAN > 70).astype(np.uint8)
DEPTHS = np.array([0.3, 1.2]) + np.add.outer(np.arange(10) / 50, np.arange(8) / 100)[..., None]
"""ILM and BM, different in every A-scan."""

PLAIN = [(0, 1), (1, 1), (2, 1)]
MIRRORED = [(0, -1), (1, 1), (2, 1)]
"""As ITK writes it, (B-scan, A-scan, depth), depth first and upwards, and mirrored."""
STORED = [[(0, -1), (1, -1), (2, 1)], [(1, 1), (0, 1), (2, 1)], [(2, 1), (0, 1), (1, -1)], MIRRORED]


def save(path: Path, array=SCAN, stored=PLAIN, *, affine=AFFINE, told: bool = True, shift=(0.0, 0.0, 0.0)) -> None:
    """`array` with its axes in the order and direction `stored`, and the affine that leaves every voxel in its place;
    if not `told`, only the spacing."""
    moved = affine.copy()
    moved[:3, 3] += shift
    image = nib.Nifti1Image(
        np.ascontiguousarray(apply_orientation(array, stored)), moved @ inv_ornt_aff(stored, array.shape)
    )
    image.header.set_xyzt_units("mm")
    if not told:
        image.header.set_sform(None, 0)
        image.header.set_qform(None, 0)
        image = nib.Nifti1Image(image.dataobj, None, image.header)
    image.to_filename(path)


@pytest.fixture
def eye(tmp_path: Path) -> NiftiFolder:
    for name, array in {"oct": SCAN[::-1], "lesion": MASK}.items():
        save(tmp_path / f"{name}.nii", array)
    save(tmp_path / "a.nii")
    save(tmp_path / "surfaces.nii", DEPTHS)
    row = "a,a.nii,oct.nii,lesion.nii,surfaces.nii\n"
    (tmp_path / "subjects.csv").write_text("subject,path,oct_path,lesion_path,surfaces_path\n" + row)
    return NiftiFolder(tmp_path)


def require_right(eye: NiftiFolder) -> None:
    for found, expected in (
        (eye.volume("a", "OCTA"), SCAN),
        (eye.volume("a", "OCT"), SCAN[::-1]),
        (eye.lesion("a"), MASK),
        (eye.surfaces("a"), DEPTHS),
    ):
        np.testing.assert_allclose(found.array, expected, rtol=1e-6)
        np.testing.assert_allclose(found.affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("name", ["a", "oct", "lesion"])
def test_a_file_that_is_stored_otherwise_is_brought_to_the_scans_grid(eye: NiftiFolder, name: str, stored):
    array = {"a": SCAN, "oct": SCAN[::-1], "lesion": MASK}[name]
    save(eye.table.root / f"{name}.nii", array, stored)
    require_right(eye)


@pytest.mark.parametrize("stored", [STORED[0], STORED[1], MIRRORED])
def test_surfaces_that_are_stored_otherwise_are_brought_to_the_scans_grid(eye: NiftiFolder, stored):
    save(eye.table.root / "surfaces.nii", DEPTHS, stored)
    require_right(eye)


def look(eye: NiftiFolder, name: str) -> None:
    {"oct": lambda: eye.volume("a", "OCT"), "lesion": lambda: eye.lesion("a"), "surfaces": lambda: eye.surfaces("a")}[
        name
    ]()


ARRAYS = {"oct": SCAN[::-1], "lesion": MASK, "surfaces": DEPTHS}
each = pytest.mark.parametrize("name", [*ARRAYS])


@each
@pytest.mark.parametrize("axis", [0, 1])
def test_a_file_that_lies_elsewhere_is_never_laid_over_the_scan(eye: NiftiFolder, name: str, axis: int):
    shift = np.eye(3)[axis] * AFFINE[axis, axis]  # one voxel
    save(eye.table.root / f"{name}.nii", ARRAYS[name], shift=shift)
    with pytest.raises(DataError, match=rf"{name}\.nii: .*up to 1 voxels along {'xy'[axis]} from where .*a\.nii of a"):
        look(eye, name)


@each
def test_a_file_of_another_spacing_is_never_laid_over_the_scan(eye: NiftiFolder, name: str):
    save(eye.table.root / f"{name}.nii", ARRAYS[name], affine=AFFINE * [1.05, 1, 1, 1])
    with pytest.raises(DataError, match=rf"{name}\.nii: .*up to 0\.45 voxels along x from where"):
        look(eye, name)


@each
def test_a_mirror_in_the_header_alone_is_refused(eye: NiftiFolder, name: str):
    save(eye.table.root / f"{name}.nii", ARRAYS[name], affine=AFFINE * [-1, 1, 1, 1])
    with pytest.raises(DataError, match=rf"{name}\.nii: .*voxels along x from where"):
        look(eye, name)


@each
def test_a_file_without_directions_lies_as_a_scan_in_plain_order(eye: NiftiFolder, name: str):
    save(eye.table.root / f"{name}.nii", ARRAYS[name], told=False)
    require_right(eye)
    save(eye.table.root / "a.nii", SCAN, MIRRORED)
    with pytest.raises(
        DataError, match=rf"{name}\.nii: states no directions, but .*a\.nii states that its axes are tu"
    ):
        look(eye, name)


@each
def test_a_turned_file_is_not_laid_over_a_scan_without_directions(eye: NiftiFolder, name: str):
    save(eye.table.root / "a.nii", told=False)
    save(eye.table.root / f"{name}.nii", ARRAYS[name], MIRRORED)
    with pytest.raises(
        DataError, match=rf"a\.nii: states no directions, but .*{name}\.nii states that its axes are tu"
    ):
        look(eye, name)


def test_surfaces_across_the_depth_are_refused(eye: NiftiFolder):
    save(eye.table.root / "surfaces.nii", np.ones((10, 20, 2)), [(0, 1), (2, 1), (1, 1)])
    with pytest.raises(DataError, match=r"surfaces\.nii: its first two axes are not x and y"):
        eye.surfaces("a")


def test_a_mask_with_nan_is_refused(eye: NiftiFolder):
    save(eye.table.root / "lesion.nii", np.where(MASK, 1.0, np.nan))
    with pytest.raises(DataError, match=r"lesion\.nii: mask with NaN"):
        eye.lesion("a")


def tilted(angle: float) -> np.ndarray:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ AFFINE


@pytest.mark.parametrize("affine", [tilted(0.01), tilted(0.6), AFFINE + np.eye(4, k=1) * [0, 0, 1e-2, 0]])
def test_a_tilt_is_refused_with_what_to_do(tmp_path: Path, affine: np.ndarray):
    save(tmp_path / "a.nii", affine=affine)
    with pytest.raises(DataError, match=r"a\.nii: its axes are tilted or sheared.*resample.*source\.anatomy=any"):
        NiftiFolder(tmp_path).check("a", "OCTA")


def test_rounding_is_no_tilt(tmp_path: Path):
    save(tmp_path / "a.nii", affine=tilted(1e-5))  # 9e-5 of a voxel at the far end
    volume = NiftiFolder(tmp_path).volume("a", "OCTA")
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert not (volume.affine[:3, :3] - np.diag(np.diag(volume.affine)[:3])).any()


def test_what_is_no_eye_is_taken_along_its_own_axes(tmp_path: Path):
    save(tmp_path / "a.nii", SCAN, MIRRORED, affine=tilted(0.6) * [100, 100, 100, 1])
    volume = NiftiFolder(tmp_path, anatomy="any").volume("a", "OCTA")
    np.testing.assert_array_equal(volume.array, SCAN)
    np.testing.assert_allclose(volume.grid_affine, scan_affine(SHAPE, (300.0, 240.0, 200.0)), rtol=1e-5)
    middle, stored = [*(np.array(SHAPE) - 1) / 2, 1], nib.load(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.affine @ middle, stored.affine @ middle, atol=1e-4)
    assert np.linalg.det(volume.affine[:3, :3]) * np.linalg.det(volume.grid_affine[:3, :3]) > 0


def test_a_depth_that_is_stored_second_is_noticed(tmp_path: Path):
    save(tmp_path / "a.nii", SCAN.transpose(0, 2, 1), affine=AFFINE[:, [0, 2, 1, 3]][[0, 2, 1, 3]])
    with pytest.raises(DataError, match=r"a\.nii: along z, which has to be the depth, voxels measure 0\.3 mm"):
        NiftiFolder(tmp_path).check("a", "OCTA")


def test_the_first_turned_file_is_told(eye: NiftiFolder, caplog: pytest.LogCaptureFixture):
    eye.check("a", "OCTA")
    assert not caplog.messages
    save(eye.table.root / "a.nii", SCAN, [(1, 1), (0, -1), (2, 1)])
    for _ in range(2):
        eye.check("a", "OCTA")
    assert [message.partition("a.nii: ")[2] for message in caplog.messages] == [
        "its affine says that its axes are y-, x+, z+; they are turned as it says"
    ]


def test_turned_voxels_stay_on_disk(tmp_path: Path):
    save(tmp_path / "a.nii", SCAN, STORED[2])
    assert isinstance(NiftiFolder(tmp_path).volume("a", "OCTA").array, np.memmap)
