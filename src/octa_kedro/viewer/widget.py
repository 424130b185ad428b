"""The viewer in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from octa_kedro.errors import ConfigError
from octa_kedro.viewer.config import ViewerConfig
from octa_kedro.viewer.encode import encode_eye
from octa_kedro.viewer.eye import ViewedEye
from octa_kedro.viewer.niivue import INSTALL

if TYPE_CHECKING:
    from ipyniivue import NiiVue


def show_eye(eye: ViewedEye, config: ViewerConfig | None = None, *, image: str = "", height: int = 500) -> NiiVue:
    """A widget with one eye, its map and its lesions in three planes and in 3D; the last line of a cell shows it.

    `image` is what the map lies over, ``octa`` or ``oct`` (the first there is). The map is on the scale of this eye.
    ConfigError without the extra `viewer`, or for an image that the eye lacks.
    """
    try:
        from ipyniivue import ColormapType, NiiVue, ShowRender, Volume  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"the widget needs the package ipyniivue; {INSTALL}") from error
    config = config or ViewerConfig()
    base = image or next(iter(eye.images))
    if base not in eye.images:
        raise ConfigError(f"image {base!r}: eye {eye.subject} has {', '.join(eye.images)}")
    data = encode_eye(eye)
    strongest = float(np.abs(eye.heat.array).max()) or 1.0
    volumes = [
        Volume(name=f"{base}.nii.gz", data=data[base], colormap="gray"),
        Volume(
            name="heat.nii.gz",
            data=data["heat"],
            colormap=config.colormap,
            opacity=config.opacity,
            cal_min=config.threshold * strongest,
            cal_max=strongest,
            colormap_type=ColormapType.ZERO_TO_MAX_TRANSPARENT_BELOW_MIN,
        ),
    ]
    if eye.lesion is not None:
        volumes.append(Volume(name="lesion.nii.gz", data=data["lesion"], colormap="green", opacity=0.3))
    viewer = NiiVue(
        height=height,
        is_orientation_text_visible=False,  # its letters are those of a head
        multiplanar_show_render=ShowRender.ALWAYS,
        is_colorbar=True,
        crosshair_width=1,
    )
    viewer.load_volumes(volumes)
    return viewer
