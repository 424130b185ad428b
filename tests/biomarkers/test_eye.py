"""All biomarkers of one eye, and the table of many."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.biomarkers.definitions import COLUMNS, DEFINITIONS, UNITS
from octa_kedro.biomarkers.eye import Measured, measure_eye
from octa_kedro.biomarkers.making import PLACE, REASONS, VALUES, reasons_in_words, tabulate_biomarkers
from octa_kedro.errors import DataError
from octa_kedro.io.octa500 import SURFACES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.fovea import places_mm
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.results.stored import Stored
from tests.conftest import ROOT

SHAPE = (160, 160, 64)
DEPTHS_MM = (0.5, 0.6, 0.7, 0.78, 0.8, 0.82)


def eye(laterality: str | None = "OD", field_mm: float = 3.0) -> tuple[Volume, PlaneStack]:
    """A retina with a pit 0.2 mm nasal of the middle, dark in a circle there, thicker on the nasal side."""
    affine = scan_affine(SHAPE, (field_mm, field_mm, 2.0))
    x, y = places_mm(SHAPE, (field_mm / SHAPE[0], field_mm / SHAPE[1]))
    away = np.hypot(x - 0.2, y)
    planes = np.stack([np.full(SHAPE[:2], depth) for depth in DEPTHS_MM], axis=2)
    planes[..., 0] += 0.06 * np.exp(-0.5 * (away / 0.3) ** 2) - 0.01 * (x - 0.2)
    z = affine[2, 3] + affine[2, 2] * np.arange(SHAPE[2])
    inner = (z >= planes[..., :1]) & (z < planes[..., 2:3])
    grey = np.where(away < 0.3, 3, 60) * np.random.default_rng(0).uniform(0.5, 1.5, SHAPE[:2])
    array = (inner * grey[..., None]).astype(np.uint8)
    right = Volume(array, affine, "OCTA", "OD", "eye"), PlaneStack(planes.astype(np.float32), affine, SURFACES, "OD")
    flow, surfaces = right
    if laterality == "OS":  # as the device records a left eye
        flow, surfaces = replace(flow, array=array[::-1]), replace(surfaces, array=surfaces.array[::-1])
    return replace(flow, laterality=laterality), replace(surfaces, laterality=laterality)


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure_eye(*eye())


def test_every_column_has_a_value_or_a_reason(measured: Measured):
    assert set(measured.values) == set(COLUMNS) == set(UNITS)
    assert {name for name, value in measured.values.items() if np.isnan(value)} == set(measured.reasons)
    assert measured.reasons
    assert all("outer" in name for name in measured.reasons)  # all else fits into 3 mm


def test_the_grid_is_centred_on_the_pit_and_the_faz_has_its_size(measured: Measured):
    assert measured.facts["centred_on"] == "the foveal pit"
    assert measured.facts["fovea_x_mm"] == pytest.approx(0.2, abs=0.03)
    assert measured.values["faz_area"] == pytest.approx(np.pi * 0.09, abs=0.02)
    assert measured.values["relative_flow_SVP_centre"] < 0.8


def test_thickness_is_the_distance_of_the_surfaces(measured: Measured):
    assert measured.values["thickness_INL_OPL_whole"] == pytest.approx(100, abs=0.01)
    assert measured.values["thickness_RPE_BM_inner_superior"] == pytest.approx(20, abs=0.01)
    nasal, temporal = (measured.values[f"thickness_retina_inner_{side}"] for side in ("nasal", "temporal"))
    assert 15 < nasal - temporal < 25  # 10 um per mm over two sectors about 1 mm off the fovea


def test_a_left_eye_measures_as_the_right_one_that_it_mirrors(measured: Measured):
    left = measure_eye(*map(mirror, eye("OS")))
    for name in ("thickness_retina_inner_nasal", "relative_flow_DVP_inner_temporal", "faz_area"):
        assert left.values[name] == pytest.approx(measured.values[name], rel=1e-6)


def test_what_is_not_known_is_told():
    flow, surfaces = eye(None)
    few = measure_eye(flow, surfaces.only(("ILM", "BM")))
    assert few.reasons["thickness_INL_OPL_whole"] == "the surface IPL_INL is not known"
    assert few.reasons["vessel_density_SVP_whole"] == "the surfaces that bound the slab are not known"
    assert "right or a left eye" in few.reasons["thickness_retina_inner_nasal"]
    blind = measure_eye(None, surfaces)
    assert blind.reasons["nonperfused_area_ILM_OPL"] == "there is no angiography"
    assert np.isfinite(blind.values["thickness_retina_centre"])


def test_coarse_scans_have_no_vessels_but_a_faz():
    flow, surfaces = eye()
    coarse = scan_affine((54, 54, 64), (3.0, 3.0, 2.0))
    thin = measure_eye(
        replace(flow, array=flow.array[::3, ::3], grid_affine=coarse),
        replace(surfaces, array=surfaces.array[::3, ::3], grid_affine=coarse),
    )
    assert thin.reasons["vessel_calibre_SVP"] == "A-scans 56 um apart do not resolve capillaries (20 um do)"
    assert thin.values["faz_area"] == pytest.approx(np.pi * 0.09, abs=0.03)


def test_without_a_faz_its_area_does_not_pass_for_a_patch_without_flow():
    flow, surfaces = eye()
    bright = measure_eye(flow.with_array(np.where(flow.array > 0, 60, 0).astype(np.uint8)), surfaces)
    assert bright.reasons["faz_area"] == "no dark region with a closed border lies at the fovea"
    assert bright.reasons["nonperfused_area_SVP"] == "the FAZ, which does not count, was not found"


def test_very_coarse_scans_have_thickness_and_relative_flow_alone():
    flow, surfaces = eye()
    affine = scan_affine((32, 32, 64), (3.0, 3.0, 2.0))
    few = measure_eye(
        replace(flow, array=flow.array[::5, ::5], grid_affine=affine),
        replace(surfaces, array=surfaces.array[::5, ::5], grid_affine=affine),
    )
    finite = {name.split("_")[0] for name, value in few.values.items() if np.isfinite(value)}
    assert finite == {"relative", "thickness"}
    assert few.reasons["faz_area"] == "A-scans 94 um apart are too far apart for an avascular zone"


def test_a_layer_with_unknown_depths_is_nan_in_the_regions_it_lacks():
    flow, surfaces = eye()
    array = surfaces.array.copy()
    x, _ = places_mm(SHAPE, (3 / 160, 3 / 160))
    array[x > 0.8, 4] = np.nan
    torn = measure_eye(flow, replace(surfaces, array=array))
    assert "known at less than 80 %" in torn.reasons["thickness_RPE_BM_inner_nasal"]
    assert torn.values["thickness_RPE_BM_inner_temporal"] == pytest.approx(20, abs=0.01)


def test_surfaces_of_another_scan_are_refused():
    flow, surfaces = eye()
    with pytest.raises(DataError, match=r"\(80, 160\) A-scans, but its surfaces have \(160, 160\)"):
        measure_eye(replace(flow, array=flow.array[:80]), surfaces)


def test_the_table_has_a_row_per_eye_with_its_reasons(measured: Measured):
    meta = {VALUES: measured.values, REASONS: measured.reasons, PLACE: measured.facts, "laterality": None}
    table = tabulate_biomarkers({"7": Stored(Path("a"), "", meta)})
    assert table.loc[0, ["subject", "laterality", "field_x_mm"]].tolist() == ["7", "", pytest.approx(3.0)]
    assert table.loc[0, "faz_area"] == measured.values["faz_area"]
    assert table.loc[0, "reasons"].startswith("the scan holds less than 80 % of the region: thickness_retina_outer, ")
    assert tabulate_biomarkers({}).columns.tolist() == table.columns.tolist()


def test_reasons_are_told_once_with_the_first_measures():
    assert reasons_in_words({"a": "x", "b": "y", "c": "x", "d": "x", "e": "x"}) == "x: a, c, d and 1 more; y: b"


def test_the_page_defines_every_biomarker_with_its_unit_and_source():
    page = (ROOT / "docs" / "biomarkers.md").read_text()
    for one in DEFINITIONS:
        assert f"| `{one.name}` | {one.unit} | {one.meaning} | {one.source} |" in page
