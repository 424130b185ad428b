"""Reads from a DICOM header where its frames lie, and how large its voxels are."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.dicom_file import first, groups, pattern_of
from octa_kedro.io.dicom_geometry import Layout, fundus_layout, patient_layout, require_many, stored_layout
from octa_kedro.io.vendor_scan import Spacing

logger = logging.getLogger(__name__)

EQUAL = 1e-3  # relative difference of spacings that is rounding
ONLY = "only rasters of parallel B-scans are read; leave it out"
AGREE = 0.05  # relative difference of two statements of one distance, both in millimetres
PLAUSIBLE = 1.5  # ratio of the stated distance to that on the fundus picture, whose pixels need not be square
LENGTHS = ("PixelSpacing", "SpacingBetweenSlices", "SliceThickness")


def layout_of(path: Path, data: Any, width: float | None) -> Layout:
    """Order and direction of the frames: by their places, else by their numbers in the stack, else the file's order.

    `width` is the length of a B-scan in millimetres, if known. DataError for several stacks or points in time, places
    that only some frames have, and every pattern other than an even raster.
    """
    require_many(path, int(data.NumberOfFrames))
    contents = groups(data, "FrameContentSequence")
    for name, what in (("StackID", "stacks"), ("TemporalPositionIndex", "points in time")):
        if (n := len({str(item.get(name)) for item in contents if item is not None})) > 1:
            raise DataError(f"{path}: holds {n} {what} of frames; export each of them as one file")
    lines = _lines(path, data)
    planes = _planes(path, data)
    placed = fundus_layout(path, lines) if lines is not None else None
    if planes is not None:
        positions, orientation = planes
        known = bool(data.get("FrameOfReferenceUID"))
        extent = width if width is not None else float(np.linalg.norm(np.ptp(positions, axis=0)))
        in_space = patient_layout(path, positions, orientation, extent=extent, anatomical=known)
        if placed is None:
            return in_space
        if in_space.raster.order not in (placed.raster.order, placed.raster.order[::-1]):
            raise DataError(f"{path}: places on the fundus picture and in space contradict each other; export it again")
    if placed is not None:
        return placed
    if word := pattern_of(data):
        raise DataError(f"{path}: is called a {word} scan and does not say where its B-scans lie; {ONLY}")
    if str(data.get("OphthalmicVolumetricPropertiesFlag") or "") == "NO":
        raise DataError(f"{path}: says that it is no volume (Ophthalmic Volumetric Properties Flag NO); {ONLY}")
    return stored_layout(_numbered(path, contents))


def _lines(path: Path, data: Any) -> NDArray[np.float64] | None:
    """Both ends ``[frame, end, (row, column)]`` of the B-scans on the picture that the first of them refers to."""
    lines, image = [], None
    for number, places in enumerate(_places(path, data)):
        if number == 0 and places:
            image = places[0].get("ReferencedSOPInstanceUID")
        place = next((item for item in places if item.get("ReferencedSOPInstanceUID") == image), None)
        lines.append(None if place is None else _line(path, number, place))
    found = [line for line in lines if line is not None]
    if found and len(found) < len(lines):
        raise DataError(f"{path}: only {len(found)} of {len(lines)} frames say where they lie; export the eye again")
    return np.stack(found) if found else None


def _places(path: Path, data: Any) -> list[list[Any]]:
    """The places of each frame; some devices list one place a frame beside the functional groups, in their order."""
    own = [
        list(frame.get("OphthalmicFrameLocationSequence") or [])
        for frame in data.get("PerFrameFunctionalGroupsSequence") or []
    ]
    beside = list(data.get("OphthalmicFrameLocationSequence") or [])
    if any(own) or not beside:
        return own
    if len(beside) != int(data.NumberOfFrames):
        raise DataError(f"{path}: lists {len(beside)} places for {data.NumberOfFrames} frames; export the eye again")
    return [[place] for place in beside]


def _line(path: Path, number: int, place: Any) -> NDArray[np.float64]:
    """First and last point of a B-scan; DataError if the points between do not follow a straight line evenly."""
    if str(place.get("OphthalmicImageOrientation") or "") == "TRANSVERSE":
        raise DataError(f"{path}: its frames are en-face sections (transverse), not B-scans; {ONLY}")
    points = np.asarray(place.get("ReferenceCoordinates") or [], float)
    if len(points) < 4 or len(points) % 2:
        raise DataError(f"{path}: frame {number + 1} is placed by {len(points)} coordinates, 4 or more are expected")
    points = points.reshape(-1, 2)
    if len(points) == 2:
        return points
    share = np.linspace(0, 1, len(points))[:, None]
    straight = points[0] * (1 - share) + points[-1] * share
    length = float(np.linalg.norm(points[-1] - points[0]))
    if np.abs(points - straight).max() > max(0.02 * length, 0.51):
        closed = length < np.ptp(points, axis=0).max() / 2
        raise DataError(f"{path}: frame {number + 1} is a {'circle' if closed else 'curved'} scan, not a line; {ONLY}")
    return points[[0, -1]]


def _planes(path: Path, data: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Positions ``[frame, 3]`` in millimetres and the one orientation of the frames; None if not stated."""
    positions = [
        item.get("ImagePositionPatient") if item is not None else None for item in groups(data, "PlanePositionSequence")
    ]
    turns = [
        item.get("ImageOrientationPatient") if item is not None else None
        for item in groups(data, "PlaneOrientationSequence")
    ]
    if not all(positions) or not all(turns):
        return None
    places, orientations = np.asarray(positions, float), np.asarray(turns, float)
    if not np.ptp(places, axis=0).any():  # one position for all says nothing
        return None
    if np.ptp(orientations, axis=0).max() > EQUAL or abs(orientations[0, :3] @ orientations[0, 3:]) > EQUAL:
        raise DataError(f"{path}: its frames are not parallel in space; {ONLY}")
    return places, orientations[0]


def _numbered(path: Path, contents: list[Any]) -> NDArray[np.intp]:
    """Order of frames without a place: their numbers in the stack, else their index of dimension, else the file's."""
    for name in ("InStackPositionNumber", "DimensionIndexValues"):
        values = [item.get(name) if item is not None else None for item in contents]
        if any(value is None for value in values):
            continue
        numbers = np.asarray(values, float).reshape(len(values), -1)
        moving = numbers[:, np.ptp(numbers, axis=0) > 0]
        if moving.shape[1] != 1:
            continue
        if len(np.unique(moving)) < len(moving):
            raise DataError(f"{path}: several frames have the same place in their stack ({name}); export it again")
        return np.argsort(moving[:, 0], kind="stable")
    return np.arange(len(contents))


def spacing_of(path: Path, data: Any) -> Spacing:
    """(along a B-scan, between B-scans, depth) in millimetres, each None if the file does not state it.

    The first value of Pixel Spacing lies between rows, which run along the depth (PS3.3 10.7.1.3). The distance
    between B-scans is Spacing Between Slices; files that lack it give the distance as Slice Thickness. DataError if
    frames have different spacings, or a value is no positive number.
    """
    stated: dict[str, tuple[float, ...]] = {}
    for holder in _holders(path, data):
        for name in LENGTHS:
            value = holder.get(name)
            if value is None or value == "":
                continue
            lengths = tuple(float(part) for part in np.atleast_1d(np.asarray(value, float)))
            if name == "SliceThickness" and lengths == (0,):  # how devices write that they do not know it
                continue
            if len(lengths) != (2 if name == "PixelSpacing" else 1):
                raise DataError(f"{path}: its {name} has {len(lengths)} values; export the eye again")
            if not all(np.isfinite(part) and part > 0 for part in lengths):
                raise DataError(f"{path}: its {name} is {lengths}, spacings are positive; export the eye again")
            if not np.allclose(stated.setdefault(name, lengths), lengths, rtol=EQUAL, atol=0):
                raise DataError(
                    f"{path}: its {name} is {stated[name]} and {lengths} mm; only scans with one spacing are read"
                )
    depth, along = stated.get("PixelSpacing", (None, None))
    between = stated.get("SpacingBetweenSlices") or stated.get("SliceThickness")
    return along, between[0] if between else None, depth


def _holders(path: Path, data: Any) -> list[Any]:
    """The data sets that state spacings; DataError if only some frames do."""
    frames = groups(data, "PixelMeasuresSequence")
    missing = sum(item is None for item in frames)
    if 0 < missing < len(frames):
        raise DataError(f"{path}: {missing} of {len(frames)} frames do not state their spacing; export the eye again")
    shared = first(data.get("SharedFunctionalGroupsSequence"))
    common = first(shared.get("PixelMeasuresSequence")) if shared is not None else None
    unique = {id(item): item for item in [data, common, *frames] if item is not None}
    return list(unique.values())


def scan_spacing(path: Path, layout: Layout, stated: Spacing, columns: int, *, warn: bool) -> Spacing:
    """Spacing (x, y, z) of the arranged scan; DataError if the places of the frames contradict the stated distance.

    On a fundus picture a distance is known in lengths of a B-scan. Its pixels need not be square and its magnification
    is nominal, so that the stated distance is believed up to a ratio of `PLAUSIBLE`; from `AGREE` on the log says so if
    asked to `warn`.
    """
    along, between, depth = stated
    placed = layout.step
    if placed is not None and layout.relative:
        placed = placed * along * columns if along is not None else None
    if placed is not None and between is not None:
        ratio = max(placed / between, between / placed)
        if ratio > (PLAUSIBLE if layout.relative else 1 + AGREE):
            raise DataError(
                f"{path}: states {between:g} mm between B-scans, but they are placed {placed:.3g} mm apart; export the "
                "eye again, or convert it to NIfTI with the right spacing (nifti_folder)"
            )
        if warn and ratio > 1 + AGREE:
            logger.warning(
                "%s: states %.3g mm between B-scans, and places them %.3g mm apart on the fundus picture; the stated "
                "distance is used",
                path,
                between,
                placed,
            )
    if between is None and not layout.relative:
        between = placed
    x, y = (between, along) if layout.raster.vertical else (along, between)
    return x, y, depth
