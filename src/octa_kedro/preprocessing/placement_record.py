"""Where an eye was placed, stored beside everything that is made of it, so that it can be carried back to its scan."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, PlainSerializer, PlainValidator, PositiveInt, StrictBool, ValidationError, model_validator

from octa_kedro.config import Config, first_problem
from octa_kedro.errors import DataError
from octa_kedro.io.volume import Frame, Laterality, PlaneStack, Volume
from octa_kedro.preprocessing.geometry import Grid, scan_box
from octa_kedro.preprocessing.mirroring import flip_of
from octa_kedro.preprocessing.placement import Placement
from octa_kedro.preprocessing.transform import AGAIN, Transform
from octa_kedro.results.stored import Stored

PLACEMENT_KEY = "placement"
"""Under which the facts beside a stored image hold its `PlacementRecord`."""


def _read_affine(given: ArrayLike) -> NDArray[np.float64]:
    affine = np.asarray(given, float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise ValueError("is not a 4 x 4 affine of finite values")
    return affine


def _read_transform(given: Transform | Mapping[str, Any]) -> Transform:
    return given if isinstance(given, Transform) else Transform.from_json(given)


Size = tuple[PositiveInt, PositiveInt, PositiveInt]
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Position = Annotated[float, Field(allow_inf_nan=False)]
StoredAffine = Annotated[NDArray[np.float64], PlainValidator(_read_affine), PlainSerializer(lambda a: a.tolist())]
StoredTransform = Annotated[Transform, PlainValidator(_read_transform), PlainSerializer(lambda t: t.to_json())]


class PlacementRecord(Config):
    """Everything that leads from a processed voxel to the raw scan, but for the plane of a flattening.

    `scan_shape` and `scan_affine` are those of the raw scan as its source gives it; `scan_to_world` leads from the
    scan's frame to the world of its file, which differ where the file's axes are tilted (records of earlier versions
    are without it). A `mirrored` eye was flipped along x about the middle of its scan before anything else. `grid_*` is
    the processed grid (voxels; outer corner and edge lengths in millimetres) in the target frame, from where
    `transform` leads to the (mirrored) scan. `sampling_mm` is the lateral sampling that a finer scan was read at, which
    moves nothing. The plane of a flattening has a result of its own (part `config.FLATTEN`); `flatten_sha256` says
    which plane it was, None that there was none.
    """

    version: Literal[1] = 1
    scan_shape: Size
    scan_affine: StoredAffine
    scan_to_world: StoredAffine = Field(default_factory=lambda: np.eye(4))
    laterality: Laterality | None
    mirrored: StrictBool
    grid_shape: Size
    grid_origin_mm: tuple[Position, Position, Position]
    grid_extent_mm: tuple[Length, Length, Length]
    transform: StoredTransform
    sampling_mm: Length | None
    flatten_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.mirrored and self.laterality != "OS":
            raise ValueError(f"an eye of laterality {self.laterality} is never mirrored")
        scan_box(self.scan_shape, self.scan_affine)
        return self

    @property
    def grid(self) -> Grid:
        """The processed grid, in the target frame."""
        return Grid(self.grid_shape, self.grid_origin_mm, self.grid_extent_mm)

    def affine(self, *, flat: bool) -> NDArray[np.float64]:
        """The affine ``(4, 4)`` of the processed volume in the world of the raw scan; with `flat`, that of its en-face
        maps. It is exact but for flattening and bending."""
        scan = Frame(self.scan_to_world)
        scan = scan.after(flip_of(self.scan_shape, self.scan_affine)) if self.mirrored else scan
        placement = Placement(self.grid, self.transform)
        frame = placement.plane_frame(scan) if flat else placement.frame(scan)
        return frame.to_scan @ self.grid.affine

    def to_json(self) -> dict[str, Any]:
        """Plain data that JSON can hold; every digit is kept."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, who: str) -> Self:
        """The record that `to_json` wrote; DataError names `who` it is of and the first thing that is wrong."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise DataError(f"{who}: not a stored placement ({first_problem(error, cls)}); {AGAIN}") from error
        except DataError as error:
            raise DataError(f"{who}: {error}") from error

    def flatten_mm(self, flattening: PlaneStack | None, *, who: str) -> NDArray[np.float32] | None:
        """What flattening moved each column up by ``[x, y]``, read from the stored plane; None where none was done.

        DataError if the eye was flattened and the plane is missing or another one, or if it was not flattened.
        """
        if self.flatten_sha256 is None and flattening is None:
            return None
        if flattening is None:
            raise DataError(f"{who}: it was flattened; its plane of the result `flattening` is needed to undo that")
        plane = np.asarray(flattening.array[..., 0], np.float32)
        if self.flatten_sha256 != _hash_of(plane):
            raise DataError(
                f"{who}: {flattening.source or 'the plane given'} is not what it was flattened by; load both results "
                f"of one version, or {AGAIN}"
            )
        return plane


def record_placement(scan: Volume, placement: Placement, *, mirrored: bool) -> PlacementRecord:
    """The record of how `scan` was placed; `mirrored` says whether it has been flipped (`mirroring.mirror`)."""
    grid, flatten = placement.grid, placement.flatten_mm
    frame = scan.frame.after(flip_of(scan.array.shape, scan.grid_affine)) if mirrored else scan.frame  # as it was
    return PlacementRecord.model_validate(
        {
            "scan_shape": scan.array.shape,
            "scan_affine": scan.grid_affine,  # mirroring leaves it as its source gives it
            "scan_to_world": frame.to_scan,
            "laterality": scan.laterality,
            "mirrored": mirrored,
            "grid_shape": grid.shape,
            "grid_origin_mm": grid.origin_mm,
            "grid_extent_mm": grid.extent_mm,
            "transform": placement.transform,
            "sampling_mm": placement.sampling_mm,
            "flatten_sha256": None if flatten is None else _hash_of(np.asarray(flatten, np.float32)),
        }
    )


def read_placement(image: Stored) -> PlacementRecord:
    """Where a stored image's eye was placed; DataError if it was stored without, or is damaged."""
    if PLACEMENT_KEY not in image.meta:
        raise DataError(f"{image.path}: stored without where its eye was placed in the scan; {AGAIN}")
    return PlacementRecord.from_json(image.meta[PLACEMENT_KEY], who=str(image.path))


def _hash_of(plane: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(plane, "<f4").tobytes()).hexdigest()
