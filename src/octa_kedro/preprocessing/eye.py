"""One eye from scan to network input: crop, resample, project, scale. The same steps for training and inference."""

from collections.abc import Mapping

import numpy as np
from pydantic import PositiveFloat, PositiveInt, field_validator

from octa_kedro.config import Config
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.store import Stored
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.geometry import Grid, processing_grid, resample, resample_nearest, scan_box
from octa_kedro.preprocessing.intensity import IntensityConfig, clip_and_scale
from octa_kedro.preprocessing.projection import project_mean
from octa_kedro.preprocessing.retina import retina_centre_mm
from octa_kedro.preprocessing.slabs import SLABS, slab_edges


class ProcessingConfig(Config):
    """What network inputs are made of.

    `grid` is the number of voxels along (x, y, z). `field_mm` is the centre field kept laterally and
    `depth_mm` the depth kept round the retina's middle; null keeps all of the scan. `slabs` are the en-face
    maps to make. With neither `depth_mm` nor `slabs` no retina is looked for.
    """

    modality: str = "OCTA"
    grid: tuple[PositiveInt, PositiveInt, PositiveInt] = (64, 64, 96)
    field_mm: tuple[PositiveFloat, PositiveFloat] | None = (3.0, 3.0)
    depth_mm: PositiveFloat | None = 0.8
    intensity: IntensityConfig = IntensityConfig()
    slabs: tuple[str, ...] = ("ILM_OPL", "OPL_BM")

    @field_validator("slabs")
    @classmethod
    def _known_slabs(cls, slabs: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [slab for slab in slabs if slab not in SLABS]:
            raise ValueError(f"no slab {unknown[0]!r}; choose from {', '.join(SLABS)}")
        return slabs

    @property
    def needs_surfaces(self) -> bool:
        """Whether the retina has to be found in each eye."""
        return self.depth_mm is not None or bool(self.slabs)


PROCESSING_KEY = "processing"  # under which a stored image's facts hold its ProcessingConfig


def require_processed_as(images: Mapping[str, Stored], config: ProcessingConfig, *, who: str) -> None:
    """ConfigError if an image was stored with other processing parameters than `config`, which `who` goes by."""
    wanted = config.model_dump(mode="json")
    for subject, stored in images.items():
        made = stored.meta.get(PROCESSING_KEY, wanted)
        if made != wanted:
            key = next(key for key in wanted if made.get(key) != wanted[key])
            raise ConfigError(
                f"subject {subject}: its image was made with processing.{key} = {made.get(key)}, but {who} goes by "
                f"{wanted[key]}; run data_processing again, or give the parameters of the version you load"
            )


def eye_grid(volume: Volume, surfaces: PlaneStack | None, config: ProcessingConfig) -> Grid:
    """The grid in this eye's scan that its network input is sampled on; DataError names the eye."""
    try:
        return processing_grid(
            scan_box(volume.array.shape, volume.affine),
            config.grid,
            field_mm=config.field_mm,
            depth_mm=config.depth_mm,
            centre_depth_mm=_field_centre_depth(volume, surfaces, config) if surfaces is not None else None,
        )
    except DataError as error:
        raise DataError(f"{volume.source}: {error}") from error


def _field_centre_depth(volume: Volume, surfaces: PlaneStack, config: ProcessingConfig) -> float:
    """Depth of the retina's middle within the field that is kept, since a tilted eye differs outside it."""
    box = scan_box(volume.array.shape, volume.affine)
    field = processing_grid(box, config.grid, field_mm=config.field_mm, depth_mm=None, centre_depth_mm=None)
    return retina_centre_mm(_lateral(surfaces, field))


def process_volume(volume: Volume, surfaces: PlaneStack | None, config: ProcessingConfig) -> Volume:
    """The scan cropped, resampled to ``config.grid`` and scaled to [0, 1], with the affine that belongs to it."""
    grid = eye_grid(volume, surfaces, config)
    try:
        resampled = resample(volume.array, volume.affine, grid)
    except DataError as error:
        raise DataError(f"{volume.source}: {error}") from error
    scaled = clip_and_scale(resampled, config.intensity, what=volume.source)
    return volume.with_array(scaled, grid.affine)


def make_enface_maps(volume: Volume, surfaces: PlaneStack, config: ProcessingConfig) -> PlaneStack:
    """Mean projection of each slab over the kept field, resampled to the grid and scaled to [0, 1] per map.

    Projected at the scan's own sampling, before anything is resampled, so that thin slabs stay thin.
    """
    grid = eye_grid(volume, surfaces, config)
    spacing, first = volume.spacing[2], volume.affine[2, 3]
    maps = []
    for slab in config.slabs:
        top, bottom = slab_edges(surfaces, slab)
        projected = project_mean(volume.array, (top - first) / spacing, (bottom - first) / spacing)
        resampled = resample(projected, volume.affine, grid)
        maps.append(clip_and_scale(resampled, config.intensity, what=f"{volume.source}, slab {slab}"))
    stack = np.stack(maps, axis=2)
    return PlaneStack(stack, grid.affine, config.slabs, volume.laterality, volume.source, surfaces.note)


def process_surfaces(volume: Volume, surfaces: PlaneStack, config: ProcessingConfig) -> PlaneStack:
    """The surfaces at the A-scans of the processed grid; depths stay millimetres of the world frame."""
    return _lateral(surfaces, eye_grid(volume, surfaces, config))


def process_lesion(volume: Volume, lesion: Volume, surfaces: PlaneStack | None, config: ProcessingConfig) -> Volume:
    """The lesion mask on the processed grid, by nearest neighbour; `volume` is the scan it belongs to."""
    if lesion.array.shape != volume.array.shape:
        raise DataError(f"{lesion.source}: mask of shape {lesion.array.shape}, but the scan has {volume.array.shape}")
    grid = eye_grid(volume, surfaces, config)
    return lesion.with_array(resample_nearest(lesion.array, lesion.affine, grid).astype(np.uint8), grid.affine)


def _lateral(surfaces: PlaneStack, grid: Grid) -> PlaneStack:
    planes = [resample(plane, surfaces.affine, grid) for plane in np.moveaxis(surfaces.array, 2, 0)]
    stack = np.stack(planes, axis=2)
    return PlaneStack(stack, grid.affine, surfaces.names, surfaces.laterality, surfaces.source, surfaces.note)
