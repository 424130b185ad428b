"""Eyes brought into one frame: each is registered to a reference eye, on coarse images of its layers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.messages.words import first_words_of
from octa_kedro.preprocessing.alignment import align
from octa_kedro.preprocessing.geometry import Grid, resample, scan_box
from octa_kedro.preprocessing.registration_config import Method, RegistrationConfig
from octa_kedro.preprocessing.resampling import inside, sample_points
from octa_kedro.preprocessing.transform import Transform

STAGES: tuple[Method, ...] = ("translation", "rigid", "affine", "bspline")
INNER, OUTER, RETINA = 1.0, 0.5, 0.25
"""Brightness of the layers in a registration image, and what counts as retina in it."""
BRIGHT_PERCENTILE = 99.0
LEAST_SHARE = 0.5  # of the reference's retina that the moving scan has to cover


@dataclass(frozen=True)
class Registered:
    """A registration and how it went; `transform` takes points of the reference eye's scan to the eye's own.

    Overlaps are Dice coefficients of the retinas where the eye was scanned; `shift_mm` is the length by which
    the middle of the reference's field moves, `scale` the factor, of the three, that is furthest from 1.
    """

    transform: Transform
    overlap_before: float
    overlap_after: float
    shift_mm: float
    rotation_deg: float
    scale: float


def choose_reference(surfaces: Mapping[str, PlaneStack]) -> str:
    """The eye, of one field of view, whose retina is nearest to the median shape.

    A shape is the depth of ILM, OPL/ONL (where all have it) and BM on 16 x 16 points, less the plane that fits
    its BM best, so that depth and tilt of the scan do not count. The median is taken point by point, and the
    measure is the root mean square distance to it; ties go to the first name. Mirror left eyes first.
    """
    if not surfaces:
        raise DataError("no eye to choose a reference from; check the exclusions")
    names = [n for n in ("ILM", "OPL_ONL", "BM") if all(n in stack.names for stack in surfaces.values())]
    shapes = {subject: _shape(surfaces[subject].only(tuple(names))) for subject in sorted(surfaces)}
    median = np.median(np.stack(list(shapes.values())), axis=0)
    distances = {subject: round(float(np.sqrt(np.mean((s - median) ** 2))), 9) for subject, s in shapes.items()}
    return min(distances, key=lambda subject: (distances[subject], subject))


def _shape(surfaces: PlaneStack) -> NDArray[np.float64]:
    box = scan_box((*surfaces.array.shape[:2], 1), surfaces.grid_affine)
    grid = Grid((16, 16), box.origin_mm[:2], box.extent_mm[:2])
    planes = [resample(plane, surfaces.grid_affine, grid) for plane in np.moveaxis(surfaces.array, 2, 0)]
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16), indexing="ij")
    design = np.stack([np.ones(256), x.ravel(), y.ravel()], axis=1)
    tilt, *_ = np.linalg.lstsq(design, planes[-1].reshape(-1).astype(float), rcond=None)
    return np.stack(planes) - (design @ tilt).reshape(16, 16)


def registration_image(surfaces: PlaneStack, oct_volume: Volume | None, config: RegistrationConfig) -> Volume:
    """A coarse image of the retina alone: 0 outside, ILM to OPL/ONL 1, from there to BM 0.5 (float32).

    With ``image: oct`` and the eye's OCT the brightness inside is the OCT's instead, from 0.5 to 1. Both are the
    mean over a voxel, so that a surface is found to a fraction of it. `surfaces` span the scan laterally; in
    depth the image reaches `max_shift_mm` beyond them.
    """
    box = scan_box((*surfaces.array.shape[:2], 1), surfaces.grid_affine)
    edges = {name: surfaces.plane(name) for name in ("ILM", "OPL_ONL", "BM") if name in surfaces.names}
    if "ILM" not in edges or "BM" not in edges:
        raise DataError(f"{surfaces.source}: registration needs the surfaces ILM and BM; has {surfaces.names}")
    grid = _coarse_grid(box, float(edges["ILM"].min()), float(edges["BM"].max()), config)
    planes = {name: resample(plane, surfaces.grid_affine, grid) for name, plane in edges.items()}
    retina = _between(planes["ILM"], planes["BM"], grid)
    if config.image == "oct" and oct_volume is not None:
        bright = resample(oct_volume.array, oct_volume.grid_affine, grid)
        top = max(float(np.percentile(bright[retina > RETINA], BRIGHT_PERCENTILE)), 1e-6)
        image = retina * (OUTER + (INNER - OUTER) * np.clip(bright / top, 0, 1))
    else:
        inner = _between(planes["ILM"], planes.get("OPL_ONL", planes["ILM"]), grid)
        image = OUTER * retina + (INNER - OUTER) * inner
    who = (surfaces.laterality, surfaces.source, surfaces.frame)
    return Volume(image.astype(np.float32), grid.affine, "registration", *who)


def _coarse_grid(box: Grid, top: float, bottom: float, config: RegistrationConfig) -> Grid:
    step = config.spacing_mm
    # On multiples of the step, so that two eyes' images are cut alike.
    first = math.floor((top - config.max_shift_mm) / step[2])
    count = math.ceil((bottom + config.max_shift_mm) / step[2]) - first
    lateral = [max(2, round(box.extent_mm[axis] / step[axis])) for axis in (0, 1)]
    origin = (*box.origin_mm[:2], first * step[2])
    return Grid((*lateral, count), origin, (*box.extent_mm[:2], count * step[2]))


def _between(top: NDArray, bottom: NDArray, grid: Grid) -> NDArray[np.float64]:
    """Share of each voxel of `grid` that lies between two surfaces ``[x, y]``."""
    edges = grid.origin_mm[2] + grid.spacing[2] * np.arange(grid.shape[2] + 1)
    lower = np.minimum(bottom[..., None], edges[1:])
    return np.clip(lower - np.maximum(top[..., None], edges[:-1]), 0, None) / grid.spacing[2]


def register(fixed: Volume, moving: Volume, config: RegistrationConfig, *, who: str) -> Registered:
    """The transform that takes points of `fixed` (the reference) to those of `moving` (the eye `who`).

    Stage after stage up to ``config.method``, each from where the last ended: translation, rigid, affine,
    B-spline; normalised correlation over evenly spread voxels, regular-step gradient descent, coarse to fine.
    One thread and no random sampling: the same images give the same bits. DataError where it diverges.

    Depth and tilt are found to a fraction of a voxel, the shift sideways to about one; a turn within the en-face
    plane, or a sideways scale, only as far as the retina's thickness is not round and even, which it nearly is.
    """
    _require_retinas(fixed, moving, who)
    before = overlap(fixed, moving, Transform())
    transform = Transform()
    if config.method != "none":
        try:
            transform = align(
                fixed,
                moving,
                STAGES[: STAGES.index(config.method) + 1],
                pyramid=config.pyramid,
                iterations=config.iterations,
                cell_mm=config.bspline_cell_mm,
            )
        except RuntimeError as error:  # what SimpleITK raises, the reason on the last line
            reason = first_words_of(str(error).strip().splitlines()[-1])
            raise DataError(f"{who}: registration failed ({reason}); {_remedy()}") from error
    result = _judged(fixed, moving, transform, before)
    _require_sound(result, config, who)
    return result


def _require_retinas(fixed: Volume, moving: Volume, who: str) -> None:
    """SimpleITK itself only warns where there is nothing to align."""
    if (fixed.array < RETINA).all() or (moving.array < RETINA).all():
        raise DataError(f"{who}: registration failed (no retina in its image or in the reference's); {_remedy()}")
    distance = np.abs(fixed.grid_affine[:2, 3] - moving.grid_affine[:2, 3])
    if (distance >= np.minimum(fixed.extent_mm[:2], moving.extent_mm[:2])).any():
        raise DataError(f"{who}: registration failed (its field and the reference's do not meet); {_remedy()}")


def overlap(fixed: Volume, moving: Volume, transform: Transform) -> float:
    """Dice coefficient of the retinas of two registration images, over the part of `fixed` that `moving` covers
    laterally; 0 if that is less than half of the retina."""
    grid = scan_box(fixed.array.shape, fixed.grid_affine)
    axes = [grid.affine[a, 3] + grid.spacing[a] * np.arange(grid.shape[a]) for a in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    to_index = np.linalg.inv(moving.grid_affine)
    index = (to_index[:3, :3] @ transform.apply(points).T) + to_index[:3, 3:]
    retina = fixed.array.reshape(-1) >= RETINA
    seen = inside(index[:2], moving.array.shape[:2])
    if (retina & seen).sum() < LEAST_SHARE * retina.sum() or not retina.any():
        return 0.0
    moved = sample_points(moving.array, index, np.zeros((1, 3))) >= RETINA
    both = (retina & moved & seen).sum()
    return float(2 * both / max((retina & seen).sum() + (moved & seen).sum(), 1))


def _judged(fixed: Volume, moving: Volume, transform: Transform, before: float) -> Registered:
    # polar decomposition: the rotation nearest to the linear part, and the stretch beside it
    left, scales, right = np.linalg.svd(transform.matrix[:3, :3])
    cosine = (np.trace(left @ right) - 1) / 2
    middle = fixed.grid_affine[:3, 3] + fixed.grid_affine[:3, :3] @ ((np.asarray(fixed.array.shape) - 1) / 2)
    return Registered(
        transform,
        before,
        overlap(fixed, moving, transform),
        float(np.linalg.norm(transform.apply(middle[None])[0] - middle)),
        float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        float(max(scales, key=lambda s: abs(math.log(s)))),
    )


def _require_sound(result: Registered, config: RegistrationConfig, who: str) -> None:
    bend = result.transform.displacement
    stretch = 1.0 if bend is None else bend.least_stretch()
    furthest = 0.0 if bend is None else float(np.abs(bend.shifts).max())
    problems = [
        text
        for wrong, text in (
            (config.method != "none" and result.overlap_after < config.min_overlap, f"below {config.min_overlap:g}"),
            (result.overlap_after < result.overlap_before - 1e-3, "worse than before"),
            (result.shift_mm > config.max_shift_mm, f"shift above {config.max_shift_mm:g} mm"),
            (result.rotation_deg > config.max_rotation_deg, f"rotation above {config.max_rotation_deg:g} degrees"),
            (abs(math.log(result.scale)) > math.log(config.max_scale) + 1e-9, f"scale beyond {config.max_scale:g}"),
            (furthest > config.max_shift_mm, f"bent by {furthest:.2f} mm"),
            (stretch <= 0, "folded"),
        )
        if wrong
    ]
    if problems:
        raise DataError(
            f"{who}: registration diverged ({', '.join(problems)}): overlap {result.overlap_before:.2f} before and "
            f"{result.overlap_after:.2f} after, shift {result.shift_mm:.2f} mm, rotation {result.rotation_deg:.1f} "
            f"degrees, scale {result.scale:.2f}; {_remedy()}"
        )


def _remedy() -> str:
    return "check its layers and laterality, use a simpler registration.method, widen the limits or leave the eye out"
