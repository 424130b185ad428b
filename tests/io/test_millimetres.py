"""Which sizes of a scan are believed, in every source."""

from pathlib import Path

import numpy as np
import pytest

from octa_kedro.datasets.source import SourceDataset
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.millimetres import require_plausible
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.volume import scan_affine
from tests.conftest import write_bscans

SHAPE = (304, 304, 640)
RELEASE = (3.0, 3.0, 2.0)


def require(extent: tuple[float, float, float], shape: tuple[int, int, int] = SHAPE, anatomy="eye"):
    return require_plausible(shape, extent, anatomy, where="a.nii", correct="its header")


@pytest.mark.parametrize(
    ("shape", "extent"),
    [
        (SHAPE, RELEASE),
        ((400, 400, 640), (6.0, 6.0, 2.0)),
        ((512, 19, 496), (5.8, 4.56, 1.92)),  # B-scans .24 mm apart
        ((1024, 1024, 1536), (24.0, 20.0, 6.0)),
        ((2, 2, 1), (1.0, 1.0, 0.5)),  # the bounds belong to what is believed
    ],
)
def test_scans_of_real_devices_are_believed(shape, extent):
    assert require(extent, shape) == extent


def test_a_part_of_a_devices_scan_is_believed_by_its_voxels(caplog: pytest.LogCaptureFixture):
    shape, where = (32, 16, 40), {"where": "a.vol", "correct": "it"}
    assert require_plausible(shape, (0.32, 0.32, 0.16), "eye", **where, part=True) == (0.32, 0.32, 0.16)
    assert "a.vol: along depth it measures only 0.16 mm; taken for a part of a scan" in caplog.text
    for extent in ((0.0032, 0.32, 0.16), (32, 32, 0.16), (0.32, 32, 0.16)):
        with pytest.raises(DataError, match=r"a\.vol: along"):
            require_plausible(shape, extent, "eye", **where, part=True)
    with pytest.raises(DataError, match=r"a\.vol: along x"):
        require_plausible(shape, (0.32, 0.32, 0.16), "eye", **where)


@pytest.mark.parametrize(
    ("extent", "words"),
    [
        ((3000.0, 3000.0, 2000.0), "along x .*3000 mm .*9.868 mm.* 1 to 30 mm; looks like micrometres labelled mill"),
        ((3.0, 304.0, 2.0), "along y it measures 304 mm .*1 to 30 mm; a spacing of 1 is what programs write"),
        ((3.0, 3.0, 2000.0), r"along depth it measures 2000 mm .*0\.5 to 10 mm; looks like micrometres"),
        ((0.003, 0.003, 0.002), "looks like metres labelled millimetres"),
        ((3.0, 3.0 * 304, 2.0), "along y .*looks like the size of the whole scan given as the size of a voxel"),
        (
            (3.0, 3.0 / 304, 2.0),
            "along y .*looks like metres .*, or the size of a voxel given as the size of the whole scan",
        ),
        ((3.0, np.nan, 2.0), "along y it measures nan mm"),
        ((0.9, 3.0, 2.0), "along x it measures 0.9 mm .*an eye's scan has 1 to 30 mm"),
    ],
)
def test_what_cannot_be_is_refused_with_its_likely_cause(extent, words: str):
    with pytest.raises(DataError, match=rf"^a\.nii: .*{words}.*correct its header.*source\.anatomy=any"):
        require(extent)


def test_edges_of_voxels_are_bounded_too():
    with pytest.raises(
        DataError, match=r"along x .*voxels of 0\.6 mm\), but voxels of an eye's scan have 0\.5 to 500 um"
    ):
        require(RELEASE, (5, 304, 640))
    with pytest.raises(DataError, match=r"along depth .*voxels of 0\.0004 mm"):
        require(RELEASE, (304, 304, 5000))


def test_nothing_is_known_of_what_is_no_eye():
    assert require((300.0, 300.0, 800.0), anatomy="any") == (300.0, 300.0, 800.0)


def test_every_source_asks(tmp_path: Path):
    array = np.random.default_rng(0).integers(1, 90, (8, 8, 9)).astype(np.uint8)
    write_nifti(tmp_path / "a.nii", array, scan_affine(array.shape, (3000.0, 3000.0, 2000.0)))
    write_bscans(tmp_path / "OCTA_300mm" / "OCTA" / "1", array)
    with pytest.raises(DataError, match=r"a\.nii: along x it measures 3000 mm.*the unit in its header"):
        NiftiFolder(tmp_path).check("a", "OCTA")
    with pytest.raises(DataError, match=r"OCTA/1: along x it measures 300 mm.*the name of its folder"):
        Octa500Release(tmp_path).check("1", "OCTA")
    (tmp_path / "eye.vol").touch()
    with pytest.raises(DataError, match=r"along y it measures 304 mm.*field_y_mm, depth_mm in .*subjects\.csv"):
        VendorFolder(tmp_path / "eye.vol")._extent("eye", tmp_path, SHAPE, (3 / 304, 1.0, 2 / 640))


@pytest.mark.parametrize("layout", ["nifti_folder", "octa500"])
def test_the_switch_reaches_each_reader(tmp_path: Path, layout: str):
    array = np.random.default_rng(0).integers(1, 90, (8, 8, 9)).astype(np.uint8)
    write_nifti(tmp_path / "1.nii", array, scan_affine(array.shape, (300.0, 300.0, 200.0)))
    write_bscans(tmp_path / "OCTA_300mm" / "OCTA" / "1", array)
    for anatomy in ("eye", "any"):
        source = SourceDataset(filepath=str(tmp_path), layout=layout, anatomy=anatomy).load()
        if anatomy == "any":
            assert source.check("1", "OCTA")["field_of_view_mm"] == pytest.approx(300)
        else:
            with pytest.raises(DataError, match="300 mm"):
                source.check("1", "OCTA")
    with pytest.raises(ConfigError, match=r"source\.anatomy 'ear' is unknown; choose eye or any"):
        SourceDataset(filepath=str(tmp_path), layout=layout, anatomy="ear")
