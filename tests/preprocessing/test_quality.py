"""Measures of scan quality on scans of plain layers, and the limits on phantom eyes."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.release import SURFACES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.motion import saccade_share
from octa_kedro.preprocessing.quality import MEASURES, judge_quality, judge_table, measure_quality, thumbnail
from octa_kedro.preprocessing.quality_config import QualityConfig

SHAPE = (40, 44, 160)
AFFINE = scan_affine(SHAPE, (3.0, 3.3, 2.0))  # .075 mm laterally, .0125 mm in depth
X, Y = np.meshgrid((np.arange(40) - 19.5) * 0.075, (np.arange(44) - 21.5) * 0.075, indexing="ij")
Z = np.arange(160)


class Scan:
    """A retina from .75 to 1.05 mm; grey 120 on vitreous of 20 with deviation 1, OCTA 10 in its upper half."""

    def __init__(self, ilm_mm: np.ndarray | float = 0.75, bm_mm: np.ndarray | float = 1.05) -> None:
        ilm, bm = (np.broadcast_to(np.asarray(edge, float), SHAPE[:2]) for edge in (ilm_mm, bm_mm))
        self.surfaces = PlaneStack(np.stack([ilm, (ilm + bm) / 2, bm], 2), AFFINE, ("ILM", "OPL_ONL", "BM"))
        depth = Z * 0.0125 + 0.00625
        self.retina = (depth >= ilm[..., None]) & (depth < bm[..., None])
        oct_scan = np.where(np.indices(SHAPE).sum(0) % 2, 19, 21)
        self.oct = np.where(self.retina, 120, oct_scan).astype(np.uint8)
        self.octa = np.where(self.retina, 10, 0).astype(np.uint8)

    def measure(self) -> dict[str, float]:
        volumes = [Volume(a, AFFINE, m, "OD", "eye 5") for a, m in ((self.oct, "OCT"), (self.octa, "OCTA"))]
        return measure_quality(*volumes, self.surfaces)


def pit(x_mm: float, y_mm: float, depth_mm: float = 0.15) -> np.ndarray:
    return depth_mm * np.exp(-((X - x_mm) ** 2 + (Y - y_mm) ** 2) / (2 * 0.3**2))


def test_a_plain_scan():
    measures = Scan().measure()
    assert tuple(measures) == MEASURES
    assert measures["signal_db"] == pytest.approx(20 * math.log10(100 / 1), abs=0.01)
    assert measures["flow_contrast_grey"] == 10
    for name in MEASURES:
        if name.endswith(("line_share", "off_share", "ted_share", "dark_share")) or name in {
            "axial_jitter_um",
            "tilt_deg",
        }:
            assert measures[name] == pytest.approx(0, abs=1e-6), name
    assert judge_quality(measures, QualityConfig()) == []


def test_tilt_and_curvature_of_bm():
    bowl = 1.0 + 0.06 * X - 0.08 * Y - 0.012 * (X**2 + Y**2)
    measures = Scan(bowl - 0.3, bowl).measure()
    assert measures["tilt_deg"] == pytest.approx(math.degrees(math.atan(0.1)), abs=0.01)
    assert measures["curvature_um_per_mm2"] == pytest.approx(12, abs=0.01)


def test_fovea_is_found_where_it_lies():
    measures = Scan(0.75 + pit(0.45, -0.6)).measure()
    assert measures["decentration_mm"] == pytest.approx(0.75, abs=0.06)
    assert measures["foveal_pit_um"] > 30
    assert judge_quality(measures, QualityConfig()) == [f"decentration {measures['decentration_mm']:.3g} mm > 0.5"]


def test_without_a_pit_decentration_is_unknown_and_no_reason():
    measures = Scan(0.75 + pit(0.45, -0.6, 0.01)).measure()
    assert measures["foveal_pit_um"] < 20
    assert math.isnan(measures["decentration_mm"])
    assert judge_quality(measures, QualityConfig()) == []


def test_motion_lines_are_bright_bscans():
    scan = Scan()
    scan.octa[:, [5, 20, 31]] *= 2
    assert scan.measure()["motion_line_share"] == pytest.approx(3 / 44)


def test_a_vessel_along_a_bscan_is_no_motion_line():
    scan = Scan()
    scan.octa[5:20, 9] *= 4
    assert scan.measure()["motion_line_share"] == 0


def test_axial_jitter_is_the_deviation_from_neighbours():
    # every other B-scan one voxel deeper: each lies one voxel off the mean of its neighbours
    shift = np.where(np.arange(44) % 2, 0.0125, 0.0)[None]
    scan = Scan(0.75 + shift + pit(0, 0), 1.05 + shift)
    assert scan.measure()["axial_jitter_um"] == pytest.approx(12.5, rel=0.1)
    # in the image, whatever the surfaces say
    scan.surfaces = Scan().surfaces
    assert scan.measure()["axial_jitter_um"] == pytest.approx(12.5, rel=0.1)


def test_an_even_tilt_is_no_jitter():
    slope = 0.403 + 0.0125 * np.arange(44)[None]  # a voxel a B-scan
    assert Scan(slope, slope + 0.3).measure()["axial_jitter_um"] == pytest.approx(0, abs=0.1)


def test_saccades_shift_what_follows_sideways():
    dense = Volume(np.zeros(()), np.diag([0.01, 0.01, 0.01, 1]), "OCTA")
    map_ = np.random.default_rng(0).uniform(5, 40, 160)[:, None] * np.ones(44)
    assert saccade_share(map_, dense) == 0
    moved = map_.copy()
    moved[:, 20:] = np.roll(map_[:, 20:], 8, axis=0)
    # seen from the place itself and from at most two B-scans beside it; 39 places have three on either side
    assert 1 / 39 <= saccade_share(moved, dense) <= 5 / 39
    moved[:, 20:] = np.roll(map_[:, 20:], 3, axis=0)
    assert saccade_share(moved, dense) == 0  # .03 mm
    assert math.isnan(saccade_share(moved[:100], dense))
    sparse = Volume(np.zeros(()), np.diag([0.01, 0.05, 0.01, 1]), "OCTA")
    assert math.isnan(saccade_share(moved, sparse))


def test_cut_off_retina():
    ilm = np.full(SHAPE[:2], 0.75)
    ilm[:10] = 0.0
    ilm[10:20] = np.nan
    assert Scan(ilm).measure()["cut_off_share"] == pytest.approx(0.5)
    assert Scan(0.75, np.where(X > 0, 1.99, 1.05)).measure()["cut_off_share"] == pytest.approx(0.5)


def test_saturation_of_the_retina():
    scan = Scan()
    scan.oct[:, ::4] = np.where(scan.retina[:, ::4], 255, scan.oct[:, ::4])
    assert scan.measure()["saturated_share"] == pytest.approx(0.25)
    scan.oct = scan.oct.astype(np.float32)
    assert math.isnan(scan.measure()["saturated_share"])


def test_dark_share_of_the_field():
    scan = Scan()
    scan.oct[:10] = np.where(scan.retina[:10], 45, scan.oct[:10])
    assert scan.measure()["dark_share"] == pytest.approx(0.25, abs=0.03)


def test_without_octa_flow_is_unknown():
    scan = Scan()
    measures = measure_quality(Volume(scan.oct, AFFINE, "OCT"), None, scan.surfaces)
    assert math.isnan(measures["flow_contrast_grey"])
    unknown = {name for name, value in measures.items() if math.isnan(value)}
    assert unknown == {"flow_contrast_grey", "saccade_share", "decentration_mm"}


def test_a_retina_at_the_top_has_no_vitreous_to_compare_with():
    measures = Scan(0.0, 0.3).measure()
    assert math.isnan(measures["signal_db"])
    assert measures["cut_off_share"] == 1


def test_memory_order_does_not_matter():
    scan = Scan(0.75 + pit(0, 0))
    expected = scan.measure()
    scan.oct, scan.octa = np.asfortranarray(scan.oct), np.asfortranarray(scan.octa)
    assert scan.measure() == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_scans_that_do_not_belong_together_are_named():
    scan = Scan()
    volume = Volume(scan.oct, AFFINE, "OCT", source="eye 5")
    with pytest.raises(DataError, match="eye 5: OCTA of shape"):
        measure_quality(volume, volume.with_array(scan.oct[1:]), scan.surfaces)
    with pytest.raises(DataError, match="eye 5: quality needs the surface BM"):
        measure_quality(volume, None, scan.surfaces.only(("ILM",)))
    with pytest.raises(DataError, match="eye 5: quality needs the surface ILM"):
        measure_quality(volume, None, Scan(np.nan).surfaces)


GOOD = dict.fromkeys(MEASURES, 0.0) | {"signal_db": 20.0, "flow_contrast_grey": 9.0}


@pytest.mark.parametrize(
    ("measures", "reasons"),
    [
        ({}, []),
        ({"tilt_deg": 14.23}, ["tilt 14.2 deg > 12"]),
        ({"signal_db": 9.66}, ["signal 9.66 dB < 12.8"]),
        ({"motion_line_share": 0.171, "dark_share": 0.5}, ["motion line share 0.171 > 0.15", "dark share 0.5 > 0.1"]),
        ({"curvature_um_per_mm2": 51.0}, ["curvature 51 um/mm2 > 40"]),
        ({"decentration_mm": math.nan}, []),
    ],
)
def test_reasons_say_what_is_beyond_which_limit(measures: Mapping[str, float], reasons: list[str]):
    assert judge_quality(GOOD | measures, QualityConfig(max_tilt_deg=12)) == reasons


def test_a_limit_of_null_is_off():
    assert judge_quality(GOOD | {"tilt_deg": 80.0}, QualityConfig(max_tilt_deg=None)) == []


def test_table_of_eyes():
    table = pd.DataFrame([GOOD, GOOD | {"tilt_deg": 5.0, "signal_db": 1.0}], index=["10001", "10002"])
    reasons = judge_table(table, QualityConfig())
    assert reasons.to_dict() == {"10001": "", "10002": "signal 1 dB < 12.8; tilt 5 deg > 3"}


def test_a_measure_that_is_missing_or_a_limit_that_is_none_is_named():
    with pytest.raises(ConfigError, match=r"quality\.max_tilt_deg: the table has no measure tilt_deg"):
        judge_quality({n: v for n, v in GOOD.items() if n != "tilt_deg"}, QualityConfig())
    with pytest.raises(ValidationError, match="max_tilt"):
        QualityConfig(max_tilt=3)
    with pytest.raises(ValidationError, match="max_dark_share"):
        QualityConfig(max_dark_share=10)


def test_every_limit_has_its_measure():
    limits = {name.partition("_")[2] for name in QualityConfig.model_fields}
    assert limits == set(MEASURES) - {"foveal_pit_um"}


@pytest.mark.parametrize(
    ("quality", "words"),
    [("good", ""), ("low_signal", "signal"), ("motion", "axial jitter"), ("tilt", "tilt")],
)
def test_limits_tell_good_phantom_eyes_from_poor_ones(quality: str, words: str):
    config = PhantomConfig(seed=3, anatomy=AnatomyConfig(tilt_um_per_mm=(20, 25)))
    row = {"ID": 10305, "OS/OD": "OD", "Disease": "DR", "fov_mm": 3.0, "quality": quality}
    eye = make_eye(config, row)
    affine = scan_affine(eye.oct.shape, eye.extent_mm)
    depth_mm = eye.surfaces.transpose(1, 2, 0) * affine[2, 2] + affine[2, 3]
    surfaces = PlaneStack(depth_mm, affine, SURFACES)
    measures = measure_quality(Volume(eye.oct, affine, "OCT"), Volume(eye.octa, affine, "OCTA"), surfaces)
    reasons = "; ".join(judge_quality(measures, QualityConfig()))
    assert words in reasons
    assert bool(reasons) == (quality != "good")


def test_thumbnail_is_small_and_its_lines_lie_on_the_layers():
    scan = Scan(0.75 + pit(0, 0))
    volumes = Volume(scan.oct, AFFINE, "OCT"), Volume(scan.octa, AFFINE, "OCTA")
    small = thumbnail(*volumes, scan.surfaces, size=20)
    assert (small.enface.shape, small.bscan.shape[0]) == ((20, 20), 20)
    assert small.bscan.shape[1] <= 20
    large = thumbnail(*volumes, scan.surfaces)
    assert large.enface.shape == SHAPE[:2]
    assert large.surfaces.shape == (3, 40)
    assert large.extent_mm == pytest.approx((3.0, 3.3, 0.6), abs=0.03)
    for column, (ilm, _, bm) in zip(large.bscan, large.surfaces.T, strict=True):
        bright = np.flatnonzero(column > 100)
        assert bright[0] == pytest.approx(ilm, abs=1)
        assert bright[-1] == pytest.approx(bm, abs=1.01)


def test_thumbnail_without_octa_or_without_known_surfaces_in_its_bscan():
    ilm = np.full(SHAPE[:2], 0.75)
    ilm[:, 22] = np.nan
    scan = Scan(ilm)
    shown = thumbnail(Volume(scan.oct, AFFINE, "OCT"), None, scan.surfaces)
    assert np.isfinite(shown.bscan).all()
    assert shown.enface[3, 3] == 120
