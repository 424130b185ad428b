"""One resampling for crop, resize, flattening and registration: everything stays at its place in millimetres."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.geometry import Grid, resample
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.preprocessing.placement import Placement, place_labels, place_plane, place_surfaces, place_volume
from octa_kedro.preprocessing.transform import Displacement, Transform, translation

SHAPE, EXTENT = (40, 36, 80), (3.0, 3.0, 2.0)
AFFINE = scan_affine(SHAPE, EXTENT)
LANDMARK = np.array([1.8, 1.3, 1.05])  # millimetres in the scan
GRID = Grid((34, 30, 60), (0.4, 0.3, 0.5), (2.2, 2.3, 1.1))


def turned(degrees: tuple[float, float, float], shift=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0)) -> Transform:
    """A turn and a scale about the middle of the scan, then a shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ np.diag(scale)
    centre = np.array(EXTENT) / 2
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + shift
    return Transform(matrix)


def bent() -> Transform:
    shifts = np.random.default_rng(1).uniform(-0.04, 0.04, (4, 4, 4, 3))
    return Transform(turned((1, -2, 3)).matrix, Displacement(shifts, (0.0, 0.0, 0.0), (1.0, 1.0, 0.7)))


TRANSFORMS = {
    "crop and resize": Transform(),
    "translation": translation((0.11, -0.14, 0.06)),
    "scaled": turned((0, 0, 0), scale=(1.1, 0.95, 1.0)),
    "rigid": turned((3, -2, 8), shift=(0.1, 0.05, -0.04)),
    "affine": turned((-2, 3, -5), scale=(1.08, 0.96, 1.03)),
    "bspline": bent(),
}
TILTED = 0.1 * np.linspace(-1, 1, GRID.shape[0])[:, None] + 0.05 * np.linspace(-1, 1, GRID.shape[1])


def points_of(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    axes = [affine[a, 3] + affine[a, a] * np.arange(shape[a]) for a in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def blob(affine: np.ndarray, shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    return np.exp(-((((points_of(affine, shape) - centre) / [0.2, 0.2, 0.08]) ** 2).sum(-1)))


def landmark_of(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Centre of mass in millimetres."""
    return (points_of(affine, array.shape) * array[..., None]).reshape(-1, 3).sum(0) / array.sum()


def in_output(transform: Transform, flatten: np.ndarray | None) -> np.ndarray:
    """Where the landmark has to be in the output, from the definition of a placement."""
    place = transform.invert_points(LANDMARK[None])[0]
    if flatten is not None:
        index = np.round((place[:2] - GRID.affine[:2, 3]) / GRID.spacing[:2]).astype(int)
        place[2] -= flatten[tuple(index)]
    return place


@pytest.mark.parametrize("flatten", [None, TILTED], ids=["as it lies", "flattened"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_landmark_stays_at_its_millimetres(name: str, flatten: np.ndarray | None):
    transform = TRANSFORMS[name]
    scan = (200 * blob(AFFINE, SHAPE, LANDMARK)).astype(np.uint8)
    placed = place_volume(scan, AFFINE, Placement(GRID, transform, flatten))
    assert placed.shape == GRID.shape
    off = (landmark_of(placed, GRID.affine) - in_output(transform, flatten)) / GRID.spacing
    assert np.abs(off).max() < 0.5  # voxels


@pytest.mark.parametrize("name", TRANSFORMS)
def test_labels_keep_their_values_and_lie_on_the_volume(name: str):
    place = Placement(GRID, TRANSFORMS[name], TILTED)
    solid = blob(AFFINE, SHAPE, LANDMARK) > 0.4
    labels = np.where(solid, 7, 0).astype(np.uint8)
    placed = place_labels(labels, AFFINE, place)
    assert placed.dtype == np.uint8
    assert set(np.unique(placed)) == {0, 7}
    share = place_volume(solid.astype(np.float32), AFFINE, place)
    assert ((placed == 7) == (share > 0.5)).mean() > 0.99
    straight = place_labels(labels, AFFINE, Placement(GRID))
    assert ((straight == 7) == (resample(solid.astype(float), AFFINE, GRID) > 0.5)).mean() > 0.99


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("flatten", [None, TILTED], ids=["as it lies", "flattened"])
def test_surfaces_follow_the_volume(name: str, flatten: np.ndarray | None):
    x, y = points_of(AFFINE, SHAPE)[:, :, 0, 0], points_of(AFFINE, SHAPE)[:, :, 0, 1]
    surface = (1.05 + 0.08 * np.sin(2 * x) + 0.05 * y).astype(np.float32)
    below = np.clip((points_of(AFFINE, SHAPE)[..., 2] - surface[..., None]) / AFFINE[2, 2] + 0.5, 0, 1)
    place = Placement(GRID, TRANSFORMS[name], flatten)
    placed = place_volume(below.astype(np.float32), AFFINE, place)
    found = place_surfaces(PlaneStack(surface[..., None], AFFINE, ("BM",)), place).plane("BM")
    # the edge in the volume: as many voxels above it as are dark
    edge = GRID.origin_mm[2] + (1 - placed).sum(2) * GRID.spacing[2]
    inner = (slice(4, -4), slice(4, -4))  # the corners may be turned out of the scan
    assert np.abs(found - edge)[inner].max() < GRID.spacing[2]
    assert np.median(np.abs(found - edge)) < 0.2 * GRID.spacing[2]


@pytest.mark.parametrize("shape", [(34, 30, 60), (15, 13, 20), (50, 48, 90)])
@pytest.mark.parametrize("flatten", [False, True])
def test_the_general_path_agrees_with_the_matrix_products(shape: tuple[int, int, int], flatten: bool):
    rng = np.random.default_rng(0)
    scan = 50 * sum(blob(AFFINE, SHAPE, rng.uniform([0, 0, 0.4], [3, 3, 1.6])) for _ in range(10))
    grid = Grid(shape, GRID.origin_mm, GRID.extent_mm)
    offsets = 0.1 * np.linspace(-1, 1, shape[0])[:, None] * np.ones(shape[1]) if flatten else None
    fast = place_volume(scan, AFFINE, Placement(grid, translation((0.03, 0, 0.01)), offsets))
    nearly = Transform(translation((0.03, 0, 0.01)).matrix @ turned((0, 0, 1e-6)).matrix)
    assert not nearly.is_aligned
    slow = place_volume(scan, AFFINE, Placement(grid, nearly, offsets))
    assert np.abs(slow - fast).max() < 0.05 * fast.max()
    assert np.abs(slow - fast).mean() < 0.01 * fast.max()


@pytest.mark.parametrize("name", ["crop and resize", "rigid"])
def test_beside_the_scan_there_is_nothing(name: str):
    ones = np.ones(SHAPE, np.uint8)
    grid = Grid((30, 30, 50), (-1.5, 0.0, -1.0), (4.5, 3.0, 2.0))
    placed = place_volume(ones, AFFINE, Placement(grid, TRANSFORMS[name]))
    labels = place_labels(ones, AFFINE, Placement(grid, TRANSFORMS[name]))
    for array in (placed, labels):
        assert not array[:8].any()
        assert not array[:, :, :20].any()
        np.testing.assert_allclose(array[15:25, 12:18, 32:], 1, rtol=1e-5)
    far = Placement(Grid((9, 9, 9), (0.0, 0.0, 5.0), (3.0, 3.0, 1.0)), TRANSFORMS[name])
    with pytest.raises(DataError, match="outside the scan"):
        place_volume(ones, AFFINE, far)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_map_lies_where_the_volume_shows_it(name: str):
    column = blob(AFFINE, SHAPE, LANDMARK)[:, :, 42]  # the same at every depth
    place = Placement(GRID, TRANSFORMS[name])
    flat = place_plane(column, AFFINE, place)
    solid = place_volume(np.repeat(column[:, :, None], SHAPE[2], 2), AFFINE, place)
    assert np.abs(flat - solid[:, :, GRID.shape[2] // 2]).max() < 0.03
    top = np.full(GRID.shape[:2], GRID.affine[2, 3])
    assert np.abs(place_plane(column, AFFINE, place, top) - solid[:, :, 0]).max() < 0.02


def test_a_left_eye_is_mirrored_without_a_copy():
    scan = blob(AFFINE, SHAPE, LANDMARK)
    seen_left = Volume(scan[::-1], AFFINE, "OCT", "OS")  # the same anatomy, as a left eye leaves the device
    mirrored = mirror(seen_left)
    assert np.shares_memory(mirrored.array, scan)
    np.testing.assert_allclose(landmark_of(mirrored.array, mirrored.grid_affine), LANDMARK, atol=0.01)
    there = np.array([EXTENT[0] - LANDMARK[0], *LANDMARK[1:]])  # in the world nothing has moved
    np.testing.assert_allclose(mirrored.frame.to_scan @ [*LANDMARK, 1], [*there, 1])
    np.testing.assert_allclose(mirrored.affine @ [9, 2, 3, 1], AFFINE @ [SHAPE[0] - 10, 2, 3, 1])
    place = Placement(GRID, TRANSFORMS["rigid"])
    np.testing.assert_allclose(
        place_volume(mirrored.array, AFFINE, place), place_volume(scan, AFFINE, place), atol=1e-6
    )
    right = Volume(scan, AFFINE, "OCT", "OD")
    assert mirror(right).array is scan
    planes = PlaneStack(scan[::-1, :, :1], AFFINE, ("BM",), "OS")
    np.testing.assert_array_equal(mirror(planes).array, scan[:, :, :1])


def test_a_finer_scan_is_read_at_the_coarser_sampling_by_hand():
    scan = np.zeros((8, 4, 3), np.float32)
    scan[2, :, :] = 8
    affine = scan_affine(scan.shape, (0.8, 0.4, 0.3))
    grid = Grid((8, 4, 3), (0.0, 0.0, 0.0), (0.8, 0.4, 0.3))
    placed = place_volume(scan, affine, Placement(grid, sampling_mm=0.2))
    # half-way between two A-scans each there is 0, 4, 0, 0; linear between their centres at .1, .3, .5 mm
    np.testing.assert_allclose(placed[:, 1, 1], [0, 1, 3, 3, 1, 0, 0, 0], atol=1e-5)
    untouched = place_volume(scan, affine, Placement(grid, sampling_mm=0.1))
    np.testing.assert_allclose(untouched, scan)
    plane = place_plane(scan[:, :, 0], affine, Placement(grid, sampling_mm=0.2))
    np.testing.assert_allclose(plane, placed[:, :, 0])


def power_above(maps: np.ndarray, spacing: float, nyquist: float) -> float:
    """Share of an en-face map's variance at frequencies above `nyquist` per mm in x or y."""
    frequency = np.abs(np.fft.fftfreq(len(maps), spacing))
    power = np.abs(np.fft.fft2(maps - maps.mean())) ** 2
    return float(power[np.maximum(frequency[:, None], frequency) > nyquist].sum() / power.sum())


def test_field_of_view_cannot_be_read_off_the_texture():
    config = PhantomConfig(seed=2, subjects={"NORMAL": 1}, shapes={"3mm": (76, 76, 96), "6mm": (100, 100, 96)})
    row = {"ID": 10301, "OS/OD": "OD", "Disease": "NORMAL", "Age": 50}
    shares = {}
    for field in (3.0, 6.0):
        eye = make_eye(config, row | {"fov_mm": field})
        depth = (eye.surfaces[0].mean() + 0.5) * 2 / 96
        grid = Grid((64, 64, 8), ((field - 3) / 2, (field - 3) / 2, float(depth)), (3.0, 3.0, 0.12))
        affine = scan_affine(eye.octa.shape, eye.extent_mm)
        for sampling in (None, 6 / 100):
            placed = place_volume(eye.octa, affine, Placement(grid, sampling_mm=sampling))
            shares[field, sampling] = power_above(placed.mean(2), 3 / 64, 100 / 6 / 2)
    before = abs(np.log(shares[3.0, None] / shares[6.0, None]))
    after = abs(np.log(shares[3.0, 0.06] / shares[6.0, 0.06]))
    assert shares[6.0, None] == shares[6.0, 0.06]
    assert after < 0.5 * before, shares


def test_flattening_puts_the_surface_at_one_depth():
    x = points_of(AFFINE, SHAPE)[:, :, 0, 0]
    bm = PlaneStack((1.0 + 0.1 * x)[..., None].astype(np.float32), AFFINE, ("BM",))
    lateral = place_surfaces(bm, Placement(GRID)).plane("BM")
    flat = place_surfaces(bm, Placement(GRID, flatten_mm=lateral - 1.1)).plane("BM")
    np.testing.assert_allclose(flat, 1.1, atol=1e-4)


def test_transforms_invert_and_survive_json():
    points = np.random.default_rng(0).uniform(0.2, 1.8, (50, 3))
    affine, curved = TRANSFORMS["affine"], TRANSFORMS["bspline"]
    np.testing.assert_allclose(affine.inverse().apply(affine.apply(points)), points)
    np.testing.assert_allclose(curved.invert_points(curved.apply(points)), points, atol=2e-6)
    with pytest.raises(ValueError, match="no closed inverse"):
        curved.inverse()
    for transform in TRANSFORMS.values():
        again = Transform.from_json(json.loads(json.dumps(transform.to_json())))
        np.testing.assert_array_equal(again.apply(points), transform.apply(points))


BENDING = {"origin_mm": [0, 0, 0], "spacing_mm": [1, 1, 1], "shifts": np.zeros((2, 2, 2, 3)).tolist()}


@pytest.mark.parametrize(
    ("matrix", "displacement", "words"),
    [
        ([[1, 0], [0, 1]], None, "matrix of shape"),
        (np.diag([1, 1, np.nan, 1]).tolist(), None, "not finite"),
        (np.diag([1, 1, 0, 1]).tolist(), None, "without an inverse"),
        (np.eye(4).tolist(), BENDING | {"shifts": [[[1, 2, 3]]]}, "displacement of shape"),
        (np.eye(4).tolist(), BENDING | {"shifts": np.full((2, 2, 2, 3), np.inf).tolist()}, "not finite"),
        (np.eye(4).tolist(), BENDING | {"spacing_mm": [1, 0, 1]}, "lattice with the spacing"),
        (np.eye(4).tolist(), {}, "origin_mm"),
    ],
)
def test_what_is_no_transform_is_refused(matrix: list, displacement: dict | None, words: str):
    with pytest.raises(DataError, match=f"not a stored transform.*{words}"):
        Transform.from_json({"matrix": matrix, "displacement": displacement})


def test_a_bending_that_cannot_be_undone_is_refused():
    shifts = np.zeros((3, 2, 2, 3))
    shifts[1, ..., 0] = 3.0
    with pytest.raises(DataError, match="cannot be undone"):
        Transform(displacement=Displacement(shifts, (0, 0, 0), (1, 1, 1))).invert_points(np.array([[1.2, 0.5, 0.5]]))


def test_a_transform_that_lays_the_eye_on_its_side_is_refused():
    rough = np.tile(1 + 0.4 * np.sin(np.arange(40))[:, None, None], (1, 36, 1))
    with pytest.raises(DataError, match=r"eye 1.*cannot be followed"):
        place_surfaces(PlaneStack(rough, AFFINE, ("BM",), source="eye 1"), Placement(GRID, turned((0, 80, 0))))


def test_folding_is_seen():
    shifts = np.zeros((3, 2, 2, 3))
    shifts[1, ..., 0] = 0.5
    assert Displacement(shifts, (0, 0, 0), (1, 1, 1)).least_stretch() == pytest.approx(0.5)
    shifts[1, ..., 0] = 1.5
    assert Displacement(shifts, (0, 0, 0), (1, 1, 1)).least_stretch() < 0
