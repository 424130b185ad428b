"""Registration: known moves are found again, the same way every time, and failure is an error."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.geometry import Grid
from octa_kedro.preprocessing.placement import Placement, place_surfaces
from octa_kedro.preprocessing.registration import Registered, choose_reference, overlap, register, registration_image
from octa_kedro.preprocessing.registration_config import RegistrationConfig
from octa_kedro.preprocessing.transform import Transform, translation

SHAPE, EXTENT = (60, 60, 128), (3.0, 3.0, 2.0)
AFFINE = scan_affine(SHAPE, EXTENT)
CONFIG = RegistrationConfig(method="rigid", spacing_mm=(0.1, 0.1, 0.025), max_shift_mm=0.6)


def layers(pit_mm: tuple[float, float] = (1.5, 1.5), *, depth: float = 0.8, width: float = 0.45) -> PlaneStack:
    """A retina with an oval foveal pit and a thicker nasal side, on a curved pigment epithelium."""
    x, y = np.meshgrid(*(AFFINE[a, 3] + AFFINE[a, a] * np.arange(60) - pit_mm[a] for a in (0, 1)), indexing="ij")
    bm = depth + 0.3 + 0.02 * (x**2 + y**2)
    pit = np.exp(-((x / width) ** 2) - (y / (0.6 * width)) ** 2)
    opl = bm - 0.15 + 0.03 * pit
    ilm = bm - 0.32 - 0.03 * x + 0.16 * pit
    return PlaneStack(np.stack([ilm, opl, bm], 2).astype(np.float32), AFFINE, ("ILM", "OPL_ONL", "BM"), source="eye 1")


def moved(transform: Transform, surfaces: PlaneStack | None = None) -> PlaneStack:
    """The eye as a scan shows it whose points are `transform` of the reference's."""
    surfaces = layers() if surfaces is None else surfaces
    return place_surfaces(surfaces, Placement(Grid(SHAPE, (0.0, 0.0, 0.0), EXTENT), transform.inverse()))


def turned(degrees: tuple[float, float, float], shift: tuple[float, float, float]) -> Transform:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    centre = np.array([1.5, 1.5, 0.95])
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + shift
    return Transform(matrix)


def registered(moving: PlaneStack, config: RegistrationConfig = CONFIG) -> Registered:
    fixed = registration_image(layers(), None, config)
    return register(fixed, registration_image(moving, None, config), config, who="eye 7")


def error_of(found: Transform, truth: Transform) -> float:
    """Largest distance in millimetres within the retina's middle 2 x 2 mm."""
    points = np.random.default_rng(0).uniform([0.5, 0.5, 0.75], [2.5, 2.5, 1.15], (200, 3))
    return float(np.linalg.norm(found.apply(points) - truth.apply(points), axis=1).max())


def test_a_known_shift_is_found():
    truth = translation((0.2, -0.15, 0.1))
    result = registered(moved(truth), CONFIG.model_copy(update={"method": "translation"}))
    assert error_of(result.transform, truth) < 0.05  # half a voxel
    assert result.shift_mm == pytest.approx(np.linalg.norm((0.2, -0.15, 0.1)), abs=0.04)
    assert result.rotation_deg == 0
    assert result.overlap_after > 0.95 > result.overlap_before


@pytest.mark.parametrize("method", ["rigid", "affine"])
def test_a_known_rotation_and_shift_are_found(method: str):
    truth = turned((2, -3, 5), (0.12, -0.1, 0.06))
    result = registered(moved(truth), CONFIG.model_copy(update={"method": method}))
    # the diagonal of a voxel: a pit that is nearly round says little about turns within the en-face plane
    assert error_of(result.transform, truth) < 0.14 < error_of(Transform(), truth)
    assert result.overlap_after > 0.95 > result.overlap_before
    axis = result.transform.matrix[2, :3] / np.linalg.norm(result.transform.matrix[2, :3])
    assert axis @ truth.matrix[2, :3] > np.cos(np.radians(1))  # tilt; a turn in the en-face plane is not seen
    assert result.scale == pytest.approx(1, abs=0.05)


def test_the_same_bits_every_time():
    moving = moved(turned((1, -2, 3), (0.1, 0.0, 0.05)))
    first, second = (registered(moving, CONFIG.model_copy(update={"method": "affine"})) for _ in range(2))
    assert json.dumps(first.transform.to_json()) == json.dumps(second.transform.to_json())
    assert first.overlap_after == second.overlap_after


def test_a_spline_bends_what_an_affine_map_leaves():
    bumpy = layers()
    x = AFFINE[0, 3] + AFFINE[0, 0] * np.arange(60)
    array = bumpy.array + (0.04 * np.sin(4 * x)).astype(np.float32)[:, None, None]
    moving = PlaneStack(array, AFFINE, bumpy.names, source="eye 7")
    affine = registered(moving, CONFIG.model_copy(update={"method": "affine", "spacing_mm": (0.2, 0.2, 0.05)}))
    config = CONFIG.model_copy(
        update={
            "method": "bspline",
            "bspline_cell_mm": (0.75, 0.75, 0.7),
            "iterations": 15,
            "spacing_mm": (0.2, 0.2, 0.05),
        }
    )
    bent = registered(moving, config)
    assert bent.transform.displacement is not None
    assert bent.overlap_after > affine.overlap_after
    again = Transform.from_json(json.loads(json.dumps(bent.transform.to_json())))
    points = np.random.default_rng(0).uniform(0.5, 1.5, (9, 3))
    np.testing.assert_array_equal(again.apply(points), bent.transform.apply(points))


def test_no_registration_is_the_identity():
    result = registered(layers(), RegistrationConfig())
    np.testing.assert_array_equal(result.transform.matrix, np.eye(4))
    assert result.transform.displacement is None
    assert (result.overlap_before, result.overlap_after, result.scale) == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_overlap": 0.999}, r"below 0\.999"),
        ({"max_shift_mm": 0.05}, r"shift above 0\.05 mm"),
        ({"max_rotation_deg": 1.0}, "rotation above 1 degrees"),
    ],
)
def test_going_beyond_a_limit_names_the_eye_and_the_figures(changes: dict[str, float], words: str):
    moving = moved(turned((2, -3, 0), (0.12, -0.1, 0.06)))
    with pytest.raises(DataError, match=rf"eye 7: registration diverged.*{words}.*overlap 0\.\d\d.*leave the eye out"):
        registered(moving, CONFIG.model_copy(update=changes))


def test_an_empty_or_unlike_eye_is_refused():
    fixed = registration_image(layers(), None, CONFIG)
    for array in (np.zeros_like(fixed.array), np.random.default_rng(0).random(fixed.array.shape, np.float32) ** 8):
        with pytest.raises(DataError, match="eye 7"):
            register(fixed, fixed.with_array(array), CONFIG, who="eye 7")
    far = fixed.affine.copy()
    far[0, 3] += 20
    with pytest.raises(DataError, match="eye 7: registration failed"):
        register(fixed, fixed.with_array(fixed.array, far), CONFIG, who="eye 7")


def test_overlap_by_hand():
    array = np.zeros((4, 4, 8), np.float32)
    array[:, :, 2:6] = 1
    image = Volume(array, np.eye(4), "registration")
    assert overlap(image, image, Transform()) == 1
    assert overlap(image, image, translation((0, 0, 2))) == pytest.approx(0.5)  # 2 of 4 voxels of each
    assert overlap(image, image, translation((1, 0, 0))) == 1  # what is not covered does not count
    assert overlap(image, image, translation((3, 0, 0))) == 0  # but half of it has to be


def test_registration_image_by_hand():
    surfaces = PlaneStack(
        np.broadcast_to(np.float32([0.8, 0.95, 1.1]), (60, 60, 3)), AFFINE, ("ILM", "OPL_ONL", "BM"), source="eye 1"
    )
    image = registration_image(surfaces, None, CONFIG.model_copy(update={"spacing_mm": (0.1, 0.1, 0.1)}))
    depth = image.affine[2, 3] + image.affine[2, 2] * np.arange(image.array.shape[2])
    shown = {round(float(d), 2): v for d, v in zip(depth, image.array[3, 4], strict=True) if v > 1e-3}
    assert shown == pytest.approx({0.85: 1.0, 0.95: 0.75, 1.05: 0.5}, abs=1e-3)
    assert image.extent_mm[:2] == pytest.approx((3, 3))
    with pytest.raises(DataError, match="eye 1: registration needs the surfaces"):
        registration_image(surfaces.only(("ILM",)), None, CONFIG)


def test_the_oct_may_take_the_layers_place():
    config = CONFIG.model_copy(update={"image": "oct"})
    truth = translation((0.1, 0.0, 0.1))
    rng = np.random.default_rng(0)
    images = []
    for surfaces in (layers(), moved(truth)):
        depth = AFFINE[2, 3] + AFFINE[2, 2] * np.arange(128)
        opl = surfaces.plane("OPL_ONL")[..., None]
        bright = np.where(depth < opl, 160, 60) + rng.normal(0, 20, SHAPE)
        images.append(registration_image(surfaces, Volume(bright, AFFINE, "OCT"), config))
    inside = images[0].array[images[0].array > 0]
    assert 0 < inside.min() < inside.max() <= 1
    assert error_of(register(*images, config, who="eye 7").transform, truth) < 0.1


def test_the_reference_is_the_eye_nearest_to_the_median_shape():
    eyes = {"c": layers(width=0.3), "a": layers(width=0.6), "d": layers(width=0.45), "b": layers(width=0.46)}
    assert choose_reference(eyes) in {"d", "b"}
    tilted = moved(turned((3, -2, 0), (0.0, 0.0, 0.3)), eyes["d"])
    # depth and tilt of the scan do not count
    assert choose_reference({"c": eyes["c"], "a": eyes["a"], "z": tilted}) == "z"
    assert choose_reference({"y": layers(), "x": layers()}) == "x"
    with pytest.raises(DataError, match="no eye"):
        choose_reference({})


def test_the_reference_may_be_named_for_each_field_of_view():
    config = RegistrationConfig.model_validate({"reference": {"3": 10301, 6: "10001"}})
    assert config.reference == {3.0: 10301, 6.0: "10001"}  # as given: `find_name` knows what a number may mean
