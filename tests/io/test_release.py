"""The release reader: what is written comes back, in the stated orientation, and bad input is named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from octa_kedro.errors import DataError
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.release import Octa500Release, picture_to_plane, plane_to_picture
from octa_kedro.io.release_writer import PhantomCohort
from tests.conftest import SHARED, write_bscans


def test_volume_comes_back_as_written(release, phantom_cohort: PhantomCohort):
    subject = release.subjects()[0]
    eye = phantom_cohort.recipes[subject].make()
    for modality, array in (("OCT", eye.oct), ("OCTA", eye.octa)):
        volume = release.volume(subject, modality)
        np.testing.assert_array_equal(volume.array, array)
        assert volume.laterality == eye.laterality
        assert volume.extent_mm == pytest.approx(eye.extent_mm)
        assert volume.affine[:3, 3] == pytest.approx(np.array(volume.spacing) / 2)


def test_surfaces_and_lesion_come_back_in_millimetres(release, phantom_cohort: PhantomCohort):
    subject = next(s for s in release.subjects() if phantom_cohort.recipes[s].make().lesion.any())
    eye = phantom_cohort.recipes[subject].make()
    surfaces = release.surfaces(subject)
    step = eye.extent_mm[2] / eye.oct.shape[2]
    expected = (np.rint(eye.surfaces) + 0.5) * step
    np.testing.assert_allclose(surfaces.array, expected.transpose(1, 2, 0), atol=1e-4)
    np.testing.assert_array_equal(release.lesion(subject).array, eye.lesion)


@pytest.mark.parametrize(
    ("lesion", "words"),
    [
        (lambda mask: mask * np.float32(0.4), r"values between whole numbers, such as 0\.4"),
        (np.ones_like, "no voxel of the mask is 0"),
        (lambda mask: mask.astype(np.int16) * 300, "mask with the value 300"),
        (lambda mask: np.where(mask > 0, np.nan, 0).astype(np.float32), "NaN or infinite values"),
    ],
)
def test_a_lesion_file_that_is_no_mask_is_refused(release_copy: Path, lesion: Callable[..., np.ndarray], words: str):
    release = Octa500Release(release_copy)
    subject = release.subjects()[0]
    path = release.files.label(subject, "GT_Lesion", ".nii.gz")
    mask = np.zeros_like(release.lesion(subject).array)
    mask[1:3, 1:3, 1:3] = 1
    write_nifti(path, lesion(mask), release.volume(subject, "OCTA").affine)
    with pytest.raises(DataError, match=rf"{subject}\.nii\.gz: .*{words}"):
        release.lesion(subject)


def test_both_fields_of_view_are_found_and_told_apart(release):
    sizes = {
        release.check(s, "OCTA")["field_of_view_mm"]: release.volume(s, "OCTA").spacing for s in release.subjects()
    }
    assert sizes.keys() == {3.0, 6.0}
    assert sizes[3.0][0] == pytest.approx(3 / 32)
    assert sizes[6.0][0] == pytest.approx(6 / 44)


@pytest.mark.parametrize("layout", ["OCTA_3M", "OCTA_3mm_part3/OCTA_3mm", "deep/er/OCTA_3mm"])
def test_spellings_and_part_folders(tmp_path: Path, layout: str):
    write_bscans(tmp_path / layout / "OCTA" / "10301", np.full((6, 8, 9), 7, np.uint8))
    release = Octa500Release(tmp_path)
    assert release.subjects() == ["10301"]
    assert release.check("10301", "OCTA") == {"field_of_view_mm": 3.0, "width": 6, "n_bscans": 8, "depth": 9}


def test_eye_spread_over_two_parts(tmp_path: Path):
    for part, modality in (("OCTA_6mm_part1", "OCT"), ("OCTA_6mm_part8", "OCTA")):
        write_bscans(tmp_path / part / "OCTA_6mm" / modality / "10001", np.ones((6, 4, 8), np.uint8))
    assert set(Octa500Release(tmp_path).eyes["10001"]) == {"OCT", "OCTA"}


def test_rgb_bitmaps_are_read_as_grey(tmp_path: Path):
    grey = np.random.default_rng(0).integers(0, 90, (6, 7, 8)).astype(np.uint8)
    folder = tmp_path / "OCTA_3mm" / "OCTA" / "10301"
    write_bscans(folder, grey)
    for path in folder.iterdir():
        Image.open(path).convert("RGB").save(path)
    np.testing.assert_array_equal(Octa500Release(tmp_path).volume("10301", "OCTA").array, grey)


def test_bscans_are_ordered_by_number_not_by_name(tmp_path: Path):
    array = np.broadcast_to(np.arange(12, dtype=np.uint8)[None, :, None], (6, 12, 5)).copy()
    write_bscans(tmp_path / "OCTA_3mm" / "OCTA" / "1", array)
    assert Octa500Release(tmp_path).volume("1", "OCTA").array[0, :, 0].tolist() == list(range(12))


def test_pictures_have_superior_at_the_top():
    plane = np.zeros((3, 5))
    plane[2, 4] = 1  # nasal in a right eye, superior
    assert plane_to_picture(plane)[0, 2] == 1
    np.testing.assert_array_equal(picture_to_plane(plane_to_picture(plane)), plane)


def test_phantom_projection_agrees_with_the_volume(release):
    subject = release.subjects()[0]
    volume, surfaces = release.volume(subject, "OCTA"), release.surfaces(subject)
    depth = np.arange(volume.array.shape[2]) * volume.spacing[2] + volume.affine[2, 3]
    inside = (depth >= surfaces.plane("ILM")[..., None]) & (depth < surfaces.plane("OPL_ONL")[..., None])
    mean = (volume.array * inside).sum(2) / inside.sum(2)
    released = release.projection(subject, "OCTA(ILM_OPL)")
    assert np.corrcoef(mean.ravel(), released.ravel())[0, 1] > 0.95


REAL = SHARED / "octa500_10225.zip"


@pytest.fixture(scope="session")
def real_release(tmp_path_factory: pytest.TempPathFactory) -> Octa500Release:
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not there (set OCTA_SHARED_DATA)")
    root = tmp_path_factory.mktemp("real")
    shutil.unpack_archive(REAL, root)
    return Octa500Release(root)


def test_real_eye_agrees_with_its_released_projection_in_one_orientation_only(real_release):
    volume = real_release.volume("10225", "OCTA")
    assert volume.array.shape == (400, 400, 640)
    assert volume.spacing == pytest.approx((0.015, 0.015, 0.003125))
    mean = volume.array.mean(axis=2)
    released = real_release.projection("10225", "OCTA(ILM_OPL)").astype(float)
    turned = [np.rot90(side, k) for side in (released, released[::-1]) for k in range(4)]
    agreement = [np.corrcoef(mean.ravel(), one.ravel())[0, 1] for one in turned]
    assert agreement[0] > 0.6
    assert max(agreement[1:]) < 0.2


# Bad input: each error names the file or the subject, and says what to do.


def break_gap(root: Path) -> None:
    next(root.glob("OCTA_3mm/OCTA/*")).joinpath("5.bmp").unlink()


def break_name(root: Path) -> None:
    (next(root.glob("OCTA_3mm/OCTA/*")) / "5.bmp").rename(next(root.glob("OCTA_3mm/OCTA/*")) / "five.bmp")


def break_twice(root: Path) -> None:
    folder = next(root.glob("OCTA_3mm/OCTA/*"))
    shutil.copy(folder / "5.bmp", folder / "05.bmp")


def break_bytes(root: Path) -> None:
    (next(root.glob("OCTA_3mm/OCTA/*")) / "5.bmp").write_bytes(b"")


def break_size(root: Path) -> None:
    Image.new("L", (9, 9)).save(next(root.glob("OCTA_3mm/OCTA/*")) / "5.bmp")


def break_volume(root: Path) -> None:
    shutil.rmtree(next(root.glob("OCTA_3mm/OCTA/*")))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_gap, r"numbered from 1 to 32 but 5 is missing"),
        (break_name, r"five\.bmp: a B-scan is named by its number"),
        (break_twice, r"B-scan 5 occurs twice"),
        (break_bytes, r"5\.bmp: not a readable bitmap"),
        (break_size, r"5\.bmp: 9 x 9 pixels, but 1\.bmp of the same eye has 32 x 128"),
        (break_volume, r"no OCTA volume below"),
    ],
)
def test_damaged_eyes_are_named(release_copy: Path, damage, words: str):
    subject = next(release_copy.glob("OCTA_3mm/OCTA/*")).name
    damage(release_copy)
    with pytest.raises(DataError, match=words) as caught:
        Octa500Release(release_copy).check(subject, "OCTA")
    assert subject in str(caught.value)


def test_truncated_bitmap_is_named(release_copy: Path):
    path = next(release_copy.glob("OCTA_3mm/OCTA/*")) / "5.bmp"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"5\.bmp"):
        Octa500Release(release_copy).volume(path.parent.name, "OCTA")


def test_missing_folder_says_how_to_give_one(tmp_path: Path):
    with pytest.raises(DataError, match=r"no such folder.*source\.path"):
        Octa500Release(tmp_path / "nowhere")


def test_folder_without_a_release_is_refused(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match="found no folder OCTA_3mm"):
        Octa500Release(tmp_path).subjects()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="Disease"), "needs the column Disease"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "occurs more than once"),
    ],
)
def test_bad_label_sheets_are_named(release_copy: Path, change, words: str):
    path = next(release_copy.glob("OCTA_3mm/Text labels.xlsx"))
    change(pd.read_excel(path)).to_excel(path, index=False)
    with pytest.raises(DataError, match=words) as caught:
        Octa500Release(release_copy).labels()
    assert "Text labels.xlsx" in str(caught.value)


def test_the_field_of_view_is_part_of_the_fingerprint(tmp_path: Path):
    prints = []
    for field in ("OCTA_3mm", "OCTA_6mm"):
        write_bscans(tmp_path / field / field / "OCTA" / "1", np.ones((6, 4, 8), np.uint8))
        prints.append(Octa500Release(tmp_path / field).fingerprint("1", "OCTA"))
    assert prints[0] != prints[1]


def test_label_words_are_cleaned(release_copy: Path):
    path = next(release_copy.glob("OCTA_3mm/Text labels.xlsx"))
    sheet = pd.read_excel(path)
    sheet["Disease"] = " " + sheet["Disease"].str.lower() + " "
    sheet.to_excel(path, index=False)
    assert set(Octa500Release(release_copy).labels()["disease"]) <= {"NORMAL", "DR", "CNV"}


def test_layers_of_another_scan_are_refused(release_copy: Path):
    three, six = (next(release_copy.glob(f"OCTA_{n}mm/OCTA/*")).name for n in (3, 6))
    layers = release_copy / "Label" / "GT_Layers"
    shutil.copy(layers / f"{six}.mat", layers / f"{three}.mat")
    with pytest.raises(DataError, match=f"{three}.mat: layers of shape"):
        Octa500Release(release_copy).surfaces(three)
