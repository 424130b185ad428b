"""One eye from scan to network input: placed, cut, projected and scaled. The same steps for training and inference."""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.appearance import LOOKS, NATIVE, measure_looks, measure_native
from octa_kedro.preprocessing.artefacts import ARTEFACTS, oct_needed_by, remove_artefacts
from octa_kedro.preprocessing.config import ENFACE, FLATTEN, LESION, OCT, PARTS, SURFACES, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.geometry import Grid, processing_grid, scan_box
from octa_kedro.preprocessing.heights import slab_centre_mm
from octa_kedro.preprocessing.intensity import clip_and_scale
from octa_kedro.preprocessing.mirroring import is_mirrored, mirror
from octa_kedro.preprocessing.placement import Placement, place_labels, place_plane, place_surfaces, place_volume
from octa_kedro.preprocessing.placement_record import PLACEMENT_KEY, record_placement
from octa_kedro.preprocessing.projection import project
from octa_kedro.preprocessing.registration import Registered, register, registration_image
from octa_kedro.preprocessing.retina import flatten_depths
from octa_kedro.preprocessing.sketch import SKETCH, sketch_views
from octa_kedro.preprocessing.slabs import remove_stray, slab_edges, slab_mask
from octa_kedro.results.result import Result

Eye = TypeVar("Eye", Volume, PlaneStack)


@dataclass(frozen=True)
class Reference:
    """The eye whose frame others of its field of view are brought into.

    `image` is what is registered to; `surfaces` and `shape` (voxels) are those of its scan.
    """

    image: Volume
    surfaces: PlaneStack
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Placed:
    """Where an eye's voxels go, how its registration went, and its surfaces as the processed volume shows them."""

    placement: Placement
    registered: Registered | None
    surfaces: PlaneStack | None


def make_reference(source: Source, subject: str, surfaces: PlaneStack, config: ProcessingConfig) -> Reference:
    """The reference that this eye is to others, in the frame of right eyes if left ones are mirrored."""
    scan = _mirrored(source.volume(subject, "OCT" if config.registration.image == "oct" else config.modality), config)
    own = _mirrored(surfaces, config)
    image = registration_image(own, scan if config.registration.image == "oct" else None, config.registration)
    return Reference(image, own, scan.array.shape)


def process_eye(
    source: Source,
    subject: str,
    surfaces: PlaneStack | None,
    config: ProcessingConfig,
    reference: Reference | None = None,
    *,
    parts: Container[str] = PARTS,
) -> dict[str, Result]:
    """Those `parts` (`config.PARTS`) of one eye that the configuration asks for and the source has.

    `surfaces` are those of the scan, as the source or the estimate gives them. Each image is interpolated once,
    registration, crop, flattening and resizing together; en-face maps are projected at the scan's own
    sampling before that, so that thin slabs stay thin. `reference` is needed if eyes are registered. Projection
    artefacts are removed first, at the scan's own sampling too.
    """
    scan = _mirrored(source.volume(subject, config.modality), config)
    oct_scan = _read_oct(source, subject, config) if config.reads_oct else None
    own = None if surfaces is None else _mirrored(surfaces, config)
    placed = place_eye(scan, own, config, reference, oct_scan)
    facts = _facts(scan, placed, config)
    if VOLUME in parts or ENFACE in parts:
        scan, facts[ARTEFACTS] = remove_artefacts(scan, oct_scan, own, config.projection_artefacts)
    made: dict[str, Result] = {}
    if VOLUME in parts:
        volume = process_volume(scan, placed, config)
        made[VOLUME] = Result(volume, unit=True, facts=facts | _looks(volume))
    if OCT in parts and config.with_oct and oct_scan is not None:
        beside = config.model_copy(update={"intensity": config.oct_intensity})
        made[OCT] = Result(process_volume(oct_scan, placed, beside), unit=True, facts=_facts(oct_scan, placed, config))
    if ENFACE in parts and config.slabs and own is not None:
        maps = make_enface_maps(scan, own, placed, config)
        made[ENFACE] = Result(maps, unit=True, facts=facts | _looks(maps))
    if placed.surfaces is not None:
        made[SURFACES] = Result(placed.surfaces)
    if placed.surfaces is not None and placed.placement.flatten_mm is not None:
        shift = placed.placement.flatten_mm[..., None].astype(np.float32)
        made[FLATTEN] = Result(replace(placed.surfaces, array=shift, names=("shift_mm",)))
    if LESION in parts and (lesion := source.lesion(subject)) is not None:
        made[LESION] = Result(process_lesion(scan, _mirrored(lesion, config), placed))
    return made


def place_eye(
    scan: Volume,
    surfaces: PlaneStack | None,
    config: ProcessingConfig,
    reference: Reference | None = None,
    oct_scan: Volume | None = None,
) -> Placed:
    """Where the eye's voxels go. DataError names the eye whose scan is too small, or whose registration diverged."""
    registered = _register(surfaces, config, reference, oct_scan, who=scan.source)
    try:
        if registered is None or reference is None:
            grid = _grid(scan_box(scan.array.shape, scan.grid_affine), surfaces, config)
            placement = Placement(grid, sampling_mm=config.sampling_mm)
        else:
            grid = _grid(scan_box(reference.shape, reference.surfaces.grid_affine), reference.surfaces, config)
            placement = Placement(grid, registered.transform, sampling_mm=config.sampling_mm)
        if surfaces is None:
            return Placed(placement, registered, None)
        shown = place_surfaces(surfaces, placement)
        if config.flatten is not None:
            # a column that has to move down shows what lies higher up in the scan
            upwards = -flatten_depths(shown, config.flatten)
            flat = replace(placement, flatten_mm=upwards)
            return Placed(flat, registered, place_surfaces(surfaces, flat))
        return Placed(placement, registered, shown)
    except DataError as error:
        raise DataError(f"{scan.source}: {error}") from error


def process_volume(volume: Volume, placed: Placed, config: ProcessingConfig) -> Volume:
    """The scan on the processed grid, scaled to [0, 1], with the affine that belongs to it."""
    grid = placed.placement.grid
    nx, ny, nz = grid.shape
    try:
        array = place_volume(volume.array, volume.grid_affine, placed.placement)
    except DataError as error:
        raise DataError(f"{volume.source}: {error}") from error
    mask: NDArray[np.bool_] | None = None
    if config.mask_slab is not None and placed.surfaces is not None:
        mask = remove_stray(slab_mask(placed.surfaces, config.mask_slab, (nx, ny, nz), grid.affine))
        array = array * mask
    scaled = clip_and_scale(array, config.intensity, what=volume.source, mask=mask)
    return _placed_as(volume, scaled if mask is None else scaled * mask, placed)


def make_enface_maps(volume: Volume, surfaces: PlaneStack, placed: Placed, config: ProcessingConfig) -> PlaneStack:
    """A map of each slab over the kept field, scaled to [0, 1] per map; `surfaces` are those of the scan."""
    spacing, first = volume.spacing[2], volume.grid_affine[2, 3]
    maps = []
    for slab in config.slabs:
        top, bottom = ((edge - first) / spacing for edge in slab_edges(surfaces, slab))
        plane = place_plane(project(volume.array, top, bottom, config.projection), volume.grid_affine, placed.placement)
        maps.append(clip_and_scale(plane, config.enface_intensity, what=f"{volume.source}, slab {slab}"))
    return PlaneStack(
        np.stack(maps, axis=2),
        placed.placement.grid.affine,
        config.slabs,
        volume.laterality,
        volume.source,
        surfaces.note,
        placed.placement.plane_frame(volume.frame),
    )


def process_lesion(volume: Volume, lesion: Volume, placed: Placed) -> Volume:
    """The lesion mask on the processed grid, by nearest neighbour; `volume` is the scan it belongs to."""
    if lesion.array.shape != volume.array.shape:
        raise DataError(f"{lesion.source}: mask of shape {lesion.array.shape}, but the scan has {volume.array.shape}")
    labels = place_labels(lesion.array, lesion.grid_affine, placed.placement)
    return _placed_as(lesion, labels.astype(np.uint8), placed)


def _placed_as(scan: Volume, array: NDArray, placed: Placed) -> Volume:
    """`array`, made of `scan` on the processed grid, with the affine and the frame that belong to it."""
    placement = placed.placement
    return replace(scan, array=array, grid_affine=placement.grid.affine, frame=placement.frame(scan.frame))


def _looks(image: Volume | PlaneStack) -> dict[str, Any]:
    """What an image looks like: in a few curves, and in a sketch by which copies of it are found."""
    return {LOOKS: measure_looks(image), SKETCH: sketch_views(image)}


def _facts(scan: Volume, placed: Placed, config: ProcessingConfig) -> dict[str, Any]:
    """What is stored beside an image: where its eye was placed, how well it was registered, the scan's sampling."""
    record = record_placement(scan, placed.placement, mirrored=config.mirror_left and is_mirrored(scan))
    judgement = _judgement(placed.registered)
    return {PLACEMENT_KEY: record.to_json(), "registration": judgement, NATIVE: measure_native(scan)}


def _read_oct(source: Source, subject: str, config: ProcessingConfig) -> Volume:
    with oct_needed_by(config.projection_artefacts):
        return _mirrored(source.volume(subject, "OCT"), config)


def _mirrored(eye: Eye, config: ProcessingConfig) -> Eye:
    return mirror(eye) if config.mirror_left else eye


def _grid(box: Grid, surfaces: PlaneStack | None, config: ProcessingConfig) -> Grid:
    """The part of the scan's `box` that is kept: the centre field, and the depth round the slab's middle within that
    field, since a tilted eye differs outside it."""
    centre = None
    if surfaces is not None and config.depth_mm is not None:
        centre = slab_centre_mm(surfaces, config.depth_slab, config.field_mm)
    return processing_grid(
        box, config.voxels, field_mm=config.field_mm, depth_mm=config.depth_mm, centre_depth_mm=centre
    )


def _register(
    surfaces: PlaneStack | None,
    config: ProcessingConfig,
    reference: Reference | None,
    oct_scan: Volume | None,
    *,
    who: str,
) -> Registered | None:
    if config.registration.method == "none":
        return None
    if surfaces is None or reference is None:
        raise DataError(f"{who}: registration needs the eye's surfaces and a reference for its field of view")
    image = registration_image(surfaces, oct_scan, config.registration)
    return register(reference.image, image, config.registration, who=who)


def _judgement(registered: Registered | None) -> dict[str, float] | None:
    """How a registration went, as plain data."""
    if registered is None:
        return None
    names = ("overlap_before", "overlap_after", "shift_mm", "rotation_deg", "scale")
    return {name: round(getattr(registered, name), 4) for name in names}
