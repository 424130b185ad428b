"""A small eye with a map that has one strongest point."""

from dataclasses import replace
from typing import Any

import numpy as np

from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.viewer.eye import ViewedEye

SHAPE = (12, 10, 16)
PEAK = (8, 3, 5)


def small_eye(subject: str = "10001", **known: Any) -> ViewedEye:
    generator, affine = np.random.default_rng(0), scan_affine(SHAPE, (3.6, 3.0, 0.8))
    distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(np.indices(SHAPE), PEAK, strict=True)))
    heat = np.where(distance < 3, 0.02 * (1 - distance / 3), 0).astype(np.float32)

    def volume(array: np.ndarray, modality: str) -> Volume:
        return Volume(array, affine, modality, "OD")

    usual = {
        "label": "CNV",
        "prediction": 0.9,
        "held_out": True,
        "heat": volume(heat, "gradcam"),
        "octa": volume(generator.random(SHAPE, np.float32), "OCTA"),
        "lesion": volume((distance < 2).astype(np.uint8) * 5, "lesion"),
        "slabs": {"upper": np.indices(SHAPE)[2] < 8, "lower": np.indices(SHAPE)[2] >= 6},
    }
    return ViewedEye(subject=subject, **(usual | known))


def left_eye(subject: str = "10002", *, mirrored: bool) -> ViewedEye:
    """The same voxels as a left eye leaves the device, processed with or without mirroring."""
    eye = small_eye(subject)
    sides = {name: replace(getattr(eye, name), laterality="OS") for name in ("heat", "octa", "lesion")}
    return replace(eye, slabs={}, **{name: mirror(side) if mirrored else side for name, side in sides.items()})
