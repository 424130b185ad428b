"""A release in parts: an eye's scans, maps, labels and sheet may each lie elsewhere."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from octa_kedro.errors import DataError
from octa_kedro.io.release import ANNOTATIONS, PROJECTIONS, Octa500Release, plane_to_picture
from tests.conftest import write_bscans

SHAPE = (6, 7, 8)
SCAN = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.uint8)
PLANE = np.random.default_rng(1).integers(0, 255, SHAPE[:2]).astype(np.uint8)


def write_plane(path: Path, plane: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(plane_to_picture(plane))).save(path)


@pytest.fixture(params=[("OCTA_3mm", "OCTA_3mm"), ("OCTA_3mm_part3/OCTA_3mm", "."), ("a/OCTA_3M", "a/b")])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """OCT in one part, OCTA in a second, maps and sheet in a third, labels in a fourth."""
    third, fourth = (tmp_path / place for place in request.param)
    write_bscans(tmp_path / "OCTA_3mm_part1" / "OCTA_3mm" / "OCT" / "10301", SCAN)
    write_bscans(tmp_path / "OCTA_3mm_part2" / "OCTA_3mm" / "OCTA" / "10301", SCAN)
    for name in PROJECTIONS:
        write_plane(third / "Projection Maps" / name / "10301.bmp", PLANE)
    pd.DataFrame({"ID": [10301], "OS/OD": ["os"], "Disease": ["normal "], "Age": ["12"]}).to_excel(
        third / "Text labels.xlsx", index=False
    )
    for kind in ANNOTATIONS:
        write_plane(fourth / "Label" / kind / "10301.bmp", PLANE)
    (fourth / "Label" / "GT_Layers").mkdir()
    layers = np.arange(1, 7)[:, None, None] * np.ones((6, *SHAPE[:2]), np.uint16)
    savemat(fourth / "Label" / "GT_Layers" / "10301.mat", {"Layer": layers})
    (fourth / "Label" / "GT_FAZ3D").mkdir()
    with h5py.File(fourth / "Label" / "GT_FAZ3D" / "10301.mat", "w") as file:
        file["FAZlabel"] = (SCAN > 60).astype(np.uint8).T
    return tmp_path


def test_all_that_belongs_to_an_eye_is_found(parts: Path):
    release = Octa500Release(parts)
    assert release.subjects() == ["10301"]
    for modality in ("OCT", "OCTA"):
        volume = release.volume("10301", modality)
        np.testing.assert_array_equal(volume.array, SCAN)
        assert volume.laterality == "OS"
    for name in PROJECTIONS:
        np.testing.assert_array_equal(release.projection("10301", name), PLANE)
    for kind in ANNOTATIONS:
        np.testing.assert_array_equal(release.annotation("10301", kind), PLANE)
    faz = release.faz_volume("10301")
    np.testing.assert_array_equal(faz.array, SCAN > 60)
    np.testing.assert_allclose(faz.affine, release.volume("10301", "OCT").affine)
    assert release.surfaces("10301").plane("BM")[0, 0] == pytest.approx(5.5 * 2 / 8)
    assert release.labels().to_dict("records") == [
        {"subject": "10301", "disease": "NORMAL", "laterality": "OS", "age": 12}
    ]


def test_what_is_not_there_is_none(tmp_path: Path):
    write_bscans(tmp_path / "OCTA_3mm" / "OCTA" / "1", SCAN)
    release = Octa500Release(tmp_path)
    assert release.projection("1", "OCTA(FULL)") is None
    assert release.annotation("1", "GT_FAZ") is None
    assert release.faz_volume("1") is None
    assert release.surfaces("1") is None
    assert release.lesion("1") is None
    with pytest.raises(DataError, match=r"eye 1: no projection map is called OCTA\(ILM\)"):
        release.projection("1", "OCTA(ILM)")
    with pytest.raises(DataError, match="eye 1: no annotation is called FAZ; choose from GT_LargeVessel"):
        release.annotation("1", "FAZ")


def test_a_map_of_another_scan_is_named(parts: Path):
    path = next(parts.glob("**/GT_FAZ/10301.bmp"))
    write_plane(path, PLANE[:5])
    with pytest.raises(DataError, match=r"10301\.bmp: 5 x 7 pixels, but eye 10301 has 6 A-scans and 7 B-scans"):
        Octa500Release(parts).annotation("10301", "GT_FAZ")


def test_crossing_surfaces_name_the_eye_and_the_file(parts: Path):
    path = next(parts.glob("**/GT_Layers/10301.mat"))
    layers = np.arange(1, 7)[:, None, None] * np.ones((6, *SHAPE[:2]), np.uint16)
    layers[0, 2, 2] = 5
    savemat(path, {"Layer": layers})
    with pytest.raises(DataError, match=r"eye 10301: .*10301\.mat: the surfaces ILM and IPL_INL cross"):
        Octa500Release(parts).surfaces("10301")


def test_a_copy_of_the_sheet_in_another_part_counts_once_but_a_contradiction_does_not(parts: Path):
    sheet = next(parts.glob("**/Text labels.xlsx"))
    copy = parts / "OCTA_3mm_part2" / "OCTA_3mm" / sheet.name
    copy.write_bytes(sheet.read_bytes())
    assert len(Octa500Release(parts).labels()) == 1
    pd.read_excel(sheet).assign(Disease="DR").to_excel(copy, index=False)
    with pytest.raises(DataError, match="ID 10301 occurs more than once"):
        Octa500Release(parts).labels()


def test_a_sheet_per_part_folder_becomes_one_table(parts: Path):
    second = parts / "OCTA_3mm_part2" / "OCTA_3mm" / "Text labels.csv"
    second.write_text("ID;Sex;OS/OD;Age;Disease\n10302;f;;63,5;dr\n")
    table = Octa500Release(parts).labels().set_index("subject")
    assert table.loc["10302", "disease"] == "DR"
    assert table.loc["10302", "age"] == 63.5
    assert table.loc["10301", "laterality"] == "OS"


def test_an_eye_that_stands_twice_or_has_two_fields_of_view_is_named(tmp_path: Path):
    write_bscans(tmp_path / "p1" / "OCTA_3mm" / "OCT" / "1", SCAN)
    write_bscans(tmp_path / "p2" / "OCTA_6mm" / "OCTA" / "1", SCAN)
    with pytest.raises(DataError, match=r"eye 1: OCT lies in .* are different fields of view"):
        Octa500Release(tmp_path).subjects()
    write_bscans(tmp_path / "p2" / "OCTA_3M" / "OCT" / "1", SCAN)
    with pytest.raises(DataError, match="eye 1: "):
        Octa500Release(tmp_path).subjects()


def test_a_constant_scan_and_an_unknown_side_are_named(parts: Path):
    write_bscans(parts / "OCTA_3mm_part2" / "OCTA_3mm" / "OCTA" / "10301", np.zeros(SHAPE, np.uint8))
    with pytest.raises(DataError, match=r"10301: every voxel is 0"):
        Octa500Release(parts).volume("10301", "OCTA")
    sheet = next(parts.glob("**/Text labels.xlsx"))
    pd.read_excel(sheet).assign(**{"OS/OD": "O5"}).to_excel(sheet, index=False)
    with pytest.raises(DataError, match=r"Text labels\.xlsx: subject 10301: laterality 'O5'; write OD or OS"):
        Octa500Release(parts).labels()
