"""Volumes of an eye as compressed NIfTI, in as few bits as a screen can show."""

import gzip

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.nifti import encode_nifti
from octa_kedro.io.volume import Volume
from octa_kedro.viewer.eye import ViewedEye, slab_bits

# NiiVue draws z upwards and x to the right, and its 3D frame is right-handed; in ours z runs into the eye.
UPWARDS = np.diag([1.0, 1.0, -1.0, 1.0])
GREYS = 255
SIGNED = 32767
NO_ILM = -32768
"""In the plane of ILM depths: not known at this A-scan."""


def encode_eye(eye: ViewedEye) -> dict[str, bytes]:
    """The volumes of an eye by name (octa, oct, heat, lesion, slabs, ilm) as ``.nii.gz``, z upwards (negative mm).

    Images have 256 grey levels over [0, 1]. A map has 256 levels of its own range, or 16 bits if it has evidence
    against the class too; its scale factor gives back raw values, half a level off at most.
    `ilm` is a plane of whole micrometres in 16 bits, NO_ILM where it is not known.
    """
    volumes = {name: _grey(eye.subject, name, image) for name, image in eye.images.items()}
    volumes["heat"] = _scaled(eye.heat)
    if eye.lesion is not None:
        volumes["lesion"] = _coded(eye.subject, eye.lesion)
    if eye.slabs:
        volumes["slabs"] = _packed(slab_bits(eye.slabs.values(), eye.heat.array.shape), eye.heat)
    if eye.ilm is not None:
        um = np.where(np.isfinite(eye.ilm), np.rint(1000 * eye.ilm), NO_ILM)
        volumes["ilm"] = _packed(np.clip(um, NO_ILM, SIGNED).astype(np.int16)[..., None], eye.heat)
    return volumes


def _grey(subject: str, name: str, image: Volume) -> bytes:
    low, high = float(image.array.min()), float(image.array.max())
    if not (low >= 0 and high <= 1):
        raise DataError(f"{subject}: the {name} has values {low:g} .. {high:g}; the viewer shows [0, 1]")
    return _packed(np.rint(image.array * np.float32(GREYS)).astype(np.uint8), image, 1 / GREYS)


def _scaled(heat: Volume) -> bytes:
    """Zero stays exactly zero, so that no background appears above a threshold."""
    signed = bool((heat.array < 0).any())
    levels = SIGNED if signed else GREYS
    strongest = float(np.abs(heat.array).max())
    slope = strongest / levels if strongest > 0 else 1.0
    return _packed(np.rint(heat.array / slope).astype(np.int16 if signed else np.uint8), heat, slope)


def _coded(subject: str, lesion: Volume) -> bytes:
    codes = lesion.array.astype(np.uint8)
    if not np.array_equal(codes, lesion.array):
        raise DataError(f"{subject}: a lesion mask holds whole numbers from 0 to 255 (0: no lesion)")
    return _packed(codes, lesion)


def _packed(array: NDArray, volume: Volume, slope: float = 1.0) -> bytes:
    nifti = encode_nifti(array, UPWARDS @ volume.grid_affine, slope=slope)
    return gzip.compress(nifti, compresslevel=6, mtime=0)
