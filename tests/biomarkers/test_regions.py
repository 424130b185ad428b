"""Where the ETDRS regions lie, and when a scan does not hold them."""

import numpy as np
import pytest

from octa_kedro.biomarkers.definitions import REGIONS, SECTORS
from octa_kedro.biomarkers.regions import etdrs_regions

WIDE = ((120, 120), (0.06, 0.06))  # 7.2 mm
NARROW = ((100, 100), (0.03, 0.03))  # 3 mm


def test_areas_are_those_of_rings_and_quarters():
    found = etdrs_regions(*WIDE, (0.1, -0.2), "OD")
    assert set(found.masks) == set(REGIONS)
    area = {name: mask.sum() * 0.06**2 for name, mask in found.masks.items()}
    assert area["centre"] == pytest.approx(np.pi * 0.25, rel=0.03)
    for ring, whole in (("inner", np.pi * 2.0), ("outer", np.pi * 6.75)):
        assert area[ring] == pytest.approx(whole, rel=0.01)
        for sector in SECTORS:
            assert area[f"{ring}_{sector}"] == pytest.approx(whole / 4, rel=0.03)


def test_sectors_lie_where_their_names_say():
    masks = etdrs_regions(*WIDE, (0.0, 0.0), "OS").masks
    places = {name: np.argwhere(masks[f"outer_{name}"]).mean(axis=0) - 59.5 for name in SECTORS}
    assert places["temporal"][0] < -20 < 20 < places["nasal"][0]
    assert places["inferior"][1] < -20 < 20 < places["superior"][1]


def test_a_narrow_scan_holds_no_outer_ring():
    found = etdrs_regions(*NARROW, (0.15, 0.0), "OD")
    assert {name for name in REGIONS if name.startswith("outer")} == set(found.reasons)
    assert "holds less than 80 %" in found.reasons["outer_nasal"]


def test_a_decentred_scan_lacks_the_sector_it_cuts():
    found = etdrs_regions(*NARROW, (0.5, 0.0), "OD")
    assert "inner_nasal" in found.reasons
    assert "inner_temporal" in found.masks


def test_without_a_laterality_no_side_is_temporal():
    found = etdrs_regions(*WIDE, (0.0, 0.0), None)
    assert {name.split("_")[1] for name in found.reasons} == {"temporal", "nasal"}
    assert "right or a left eye" in found.reasons["inner_nasal"]
