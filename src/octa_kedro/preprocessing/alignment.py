"""SimpleITK's part of a registration: the transform that makes two images correlate best."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813  (its own spelling)
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from octa_kedro.io.volume import Volume
from octa_kedro.preprocessing.transform import Displacement, Transform, translation

FIRST_STEP, LAST_STEP, RELAXATION = 0.1, 2e-4, 0.5  # of the gradient descent, in millimetres
SAMPLES = 15_000  # voxels that a step of the descent looks at, spread evenly
MARGIN_MM = 0.15
SMOOTH = 0.5  # blur at each level of the pyramid, in its voxels
NODES_A_CELL = 2  # at which a B-spline is stored, per cell of its mesh


def align(
    fixed: Volume,
    moving: Volume,
    stages: Sequence[str],
    *,
    pyramid: tuple[int, ...],
    iterations: int,
    cell_mm: tuple[float, float, float],
) -> Transform:
    """The last of `stages` (translation, rigid, affine, bspline), each started where the one before it ended.

    Normalised correlation over evenly spread voxels, on one thread, nothing random: the same bits every time.
    RuntimeError is what SimpleITK raises where images do not overlap. `cell_mm` is the mesh of the B-spline.
    """
    near = _near_retina(fixed)
    images = _image(near.array, near), _image(moving.array, moving)
    shift = _sideways(fixed, moving, _method(pyramid, iterations, math.prod(fixed.array.shape[:2])))
    depth, tilt = _depth_and_tilt(fixed, moving, shift)
    if stages[-1] == "translation":
        return translation((*shift, depth))
    itk = _first_rigid(fixed, shift, depth, tilt)
    bending = None
    for stage in stages[1:]:
        method = _method(pyramid, iterations, near.array.size)
        if stage == "bspline":
            bending = _bspline(method, images, itk, cell_mm)
            break
        itk = itk if stage == "rigid" else _affine_from(itk)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(itk, True)
        method.Execute(*images)
    return Transform(_matrix(itk), None if bending is None else _sampled(bending, fixed, cell_mm))


def _sideways(fixed: Volume, moving: Volume, method: Any) -> tuple[float, float]:
    """Shift in x and y at which the maps of the retina's thickness correlate best.

    On maps and not in depth, since a curved retina that is tilted looks like one that is shifted sideways; its
    thickness hardly changes with tilt, and has the fovea in it.
    """
    itk = sitk.TranslationTransform(2)
    method.SetInitialTransform(itk, True)
    method.Execute(*(_image(volume.array.sum(axis=2), volume) for volume in (fixed, moving)))
    x, y = itk.GetOffset()
    return float(x), float(y)


def _depth_and_tilt(fixed: Volume, moving: Volume, shift: tuple[float, float]) -> tuple[float, NDArray[np.float64]]:
    """How much deeper the moving retina lies at the middle of the field, and by how much a mm in x and y."""
    columns, index = _columns(fixed), []
    for axis in range(2):
        index.append((columns[axis] + shift[axis] - moving.grid_affine[axis, 3]) / moving.spacing[axis])
    # The share of a column that is retina weighs: columns without retina have no depth.
    there = map_coordinates(_weight(moving), index, order=1) * _weight(fixed)
    deeper = map_coordinates(_mean_depth(moving), index, order=1, mode="nearest") - _mean_depth(fixed)
    middle = [axis.mean() for axis in columns]
    design = np.stack([np.ones_like(columns[0]), columns[0] - middle[0], columns[1] - middle[1]], axis=-1)
    root = np.sqrt(there)[..., None]
    plane, *_ = np.linalg.lstsq((design * root).reshape(-1, 3), (deeper * root[..., 0]).reshape(-1), rcond=None)
    return float(plane[0]), plane[1:]


def _columns(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y ``[x, y]`` of the columns, in millimetres."""
    x, y = (volume.grid_affine[a, 3] + volume.spacing[a] * np.arange(volume.array.shape[a]) for a in (0, 1))
    grid = np.meshgrid(x, y, indexing="ij")
    return grid[0], grid[1]


def _weight(volume: Volume) -> NDArray[np.float64]:
    thickness = volume.array.sum(axis=2, dtype=np.float64)
    return thickness / max(float(thickness.max()), 1e-12)


def _mean_depth(volume: Volume) -> NDArray[np.float64]:
    """Depth of the retina's middle in each column, in millimetres; the field's mean where there is none."""
    mass = volume.array.astype(np.float64)
    depth = volume.grid_affine[2, 3] + volume.spacing[2] * np.arange(mass.shape[2])
    total = mass.sum(axis=2)
    mean = float((mass.sum(axis=(0, 1)) * depth).sum() / max(total.sum(), 1e-12))
    return np.where(total > 0, (mass @ depth) / np.maximum(total, 1e-12), mean)


def _first_rigid(fixed: Volume, shift: tuple[float, float], depth: float, tilt: NDArray[np.float64]) -> Any:
    """The turn and shift that `shift`, `depth` and `tilt` make, about the middle of the fixed retina."""
    middle = fixed.grid_affine[:3, 3] + fixed.grid_affine[:3, :3] @ ((np.asarray(fixed.array.shape) - 1) / 2)
    middle[2] = _mean_depth(fixed).mean()
    itk = sitk.Euler3DTransform()
    itk.SetCenter(middle.tolist())
    # z grows with x by tilt[0] where the turn about y is negative, with y by tilt[1] where that about x is positive
    itk.SetRotation(float(np.arctan(tilt[1])), float(-np.arctan(tilt[0])), 0.0)
    itk.SetTranslation((*shift, depth))
    return itk


def _affine_from(rigid: Any) -> Any:
    itk = sitk.AffineTransform(3)
    itk.SetCenter(rigid.GetCenter())
    itk.SetMatrix(rigid.GetMatrix())
    itk.SetTranslation(rigid.GetTranslation())
    return itk


def _image(array: NDArray, volume: Volume) -> Any:
    """SimpleITK's image of `array`, of `volume` or a map over it; its points are our millimetres."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T, np.float32))
    image.SetSpacing([float(s) for s in volume.spacing[: array.ndim]])
    image.SetOrigin([float(o) for o in volume.grid_affine[: array.ndim, 3]])
    return image


def _near_retina(volume: Volume) -> Volume:
    """The depths of `volume` within MARGIN_MM of its retina: elsewhere there is nothing to align."""
    used = np.flatnonzero(volume.array.any(axis=(0, 1)))
    margin = math.ceil(MARGIN_MM / volume.spacing[2])
    first = max(int(used[0]) - margin, 0) if len(used) else 0
    last = int(used[-1]) + 1 + margin if len(used) else volume.array.shape[2]
    affine = volume.grid_affine.copy()
    affine[2, 3] += first * volume.spacing[2]
    return volume.with_array(volume.array[:, :, first:last], affine)


def _method(pyramid: tuple[int, ...], iterations: int, voxels: int) -> Any:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.REGULAR)  # every n-th voxel: nothing random
    method.SetMetricSamplingPercentagePerLevel([min(1.0, SAMPLES * f**3 / voxels) for f in pyramid], 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=FIRST_STEP, minStep=LAST_STEP, numberOfIterations=iterations, relaxationFactor=RELAXATION
    )
    # Differences of neighbours do; the Gaussian filter that is ITK's default costs a third of the time.
    method.MetricUseMovingImageGradientFilterOff()
    method.MetricUseFixedImageGradientFilterOff()
    method.SetShrinkFactorsPerLevel(list(pyramid))
    method.SetSmoothingSigmasPerLevel([SMOOTH * factor for factor in pyramid])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    return method


def _bspline(method: Any, images: tuple[Any, Any], affine: Any, cell_mm: tuple[float, float, float]) -> Any:
    """Bending of the fixed frame before `affine`, by cubic B-splines on a mesh of about `cell_mm`."""
    size = np.asarray(images[0].GetSize()) * np.asarray(images[0].GetSpacing())
    mesh = [max(1, round(length / cell)) for length, cell in zip(size, cell_mm, strict=True)]
    bending = sitk.BSplineTransformInitializer(images[0], mesh, 3)
    method.SetMovingInitialTransform(affine)
    method.SetInitialTransform(bending, True)
    method.Execute(*images)
    return bending


def _sampled(bending: Any, fixed: Volume, cell_mm: tuple[float, float, float]) -> Displacement:
    corner = fixed.grid_affine[:3, 3] - np.asarray(fixed.spacing) / 2
    counts = [max(2, math.ceil(NODES_A_CELL * e / c) + 1) for e, c in zip(fixed.extent_mm, cell_mm, strict=True)]
    steps = np.asarray(fixed.extent_mm) / (np.asarray(counts) - 1)
    (x, y, z), (dx, dy, dz) = map(float, corner), map(float, steps)
    lattice = Displacement(np.zeros((*counts, 3)), (x, y, z), (dx, dy, dz))
    nodes = lattice.nodes()
    # The spline ends at the image's outermost voxel centres and is nothing beyond: stay just inside.
    low, high = (
        fixed.grid_affine[:3, 3],
        fixed.grid_affine[:3, 3] + np.asarray(fixed.spacing) * (np.asarray(fixed.array.shape) - 1),
    )
    within = np.clip(nodes, low + 1e-6, high - 1e-6)
    moved = np.array([bending.TransformPoint(point) for point in within.tolist()])
    return Displacement((moved - within).reshape(*counts, 3), lattice.origin_mm, lattice.spacing_mm)


def _matrix(itk: Any) -> NDArray[np.float64]:
    """The 4 x 4 matrix of an affine transform, from where it takes the origin and the axes."""
    origin = np.array(itk.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        matrix[:3, axis] = np.array(itk.TransformPoint(np.eye(3)[axis].tolist())) - origin
    return matrix
