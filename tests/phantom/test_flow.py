import numpy as np
import pytest

from octa_kedro.phantom.flow import Flow, draw_flow
from tests.phantom.slab_eye import BESIDE, VESSEL, flat_band, vessels

NONE = {"large": 0.0, "superficial": 0.0, "deep": 0.0, "choriocapillaris": 0.0}


def mean_depth_um(values: np.ndarray) -> float:
    return float((values * flat_band().z_um).sum() / values.sum())


def only(**maps: float) -> Flow:
    return draw_flow(flat_band(), vessels(**(NONE | maps)))


def test_without_vessels_nothing_flows():
    assert not only().flow.any()


@pytest.mark.parametrize(
    ("vessel", "top", "bottom"), [("superficial", 0, 1), ("deep", 1, 2), ("choriocapillaris", 5, None)]
)
def test_each_plexus_lies_between_its_surfaces(vessel: str, top: int, bottom: int | None):
    s = flat_band().surfaces_um[:, 0, 0]
    assert s[top] < mean_depth_um(only(**{vessel: 1.0}).flow) < (s[bottom] if bottom else s[top] + 100)


def test_large_vessels_lie_above_the_capillaries_round_them():
    assert mean_depth_um(only(large=1.0).flow) < mean_depth_um(only(superficial=1.0).flow)


@pytest.mark.parametrize("vessel", ["large", "superficial", "deep", "choriocapillaris"])
def test_flow_peaks_at_that_of_the_vessel(vessel: str):
    assert 0.7 * 0.5 < only(**{vessel: 0.5}).flow.max() < 1.2 * 0.5


def test_vitreous_and_outer_retina_have_no_flow():
    band = flat_band()
    flow = draw_flow(band, vessels()).flow
    assert flow[band.below(0) < -30].max() < 0.02
    # from the outer nuclear layer to the outer segments
    assert flow[(band.below(2) > 25) & (band.below(4) < 0)].max() < 0.1


def test_connecting_vessels_bridge_the_plexuses():
    band = flat_band()
    gained = draw_flow(band, vessels(connecting=1.0, deep=0.0, superficial=0.0)).flow
    middle = np.abs(band.z_um[0, 0] - (band.surfaces_um[1, 0, 0] + 5)).argmin()
    assert gained[5, 5, middle] > 0.2
    assert gained[5, 5][band.below(2)[5, 5] > 30].max() < gained[5, 5, middle] + 0.6
    assert only(connecting=1.0).flow[band.below(0) < -30].max() < 0.02


def test_choroid_fades_below_the_choriocapillaris():
    band = flat_band()
    flow, below = only(choriocapillaris=1.0).flow[5, 5], band.below(5)[5, 5]
    assert flow[(below > 10) & (below < 30)].mean() > 0.7
    assert flow[below > 250].max() < 0.1


def test_a_choroid_that_is_seen_farther_is_brighter_below():
    below = flat_band().below(5) > 80
    near, far = (only(choriocapillaris=1.0, choroid_um=depth).flow[below].mean() for depth in (60.0, 140.0))
    assert far > 2 * near


def test_plexuses_lie_where_they_are_said_to_and_do_not_overlap():
    band = flat_band()
    made = draw_flow(band, vessels())
    assert (band.below(0)[made.superficial] > 0).all()
    assert (band.below(2)[made.superficial | made.deep] < 0).all()
    assert not (made.deep & made.choriocapillaris).any()
    for vessel, lies in (("superficial", made.superficial), ("deep", made.deep)):
        flow = only(**{vessel: 1.0}).flow
        assert flow[lies].sum() > 0.7 * flow.sum()


def test_a_large_vessel_outshines_the_net_beside_it():
    flow = draw_flow(flat_band(), vessels()).flow
    assert flow[VESSEL].max() > 1.5 * flow[BESIDE].max()


def test_the_widest_vessels_stay_under_the_ilm():
    made = draw_flow(flat_band(), vessels(large_radius_um=40.0)).flow
    assert made[flat_band().below(0) < -20].max() < 0.1
