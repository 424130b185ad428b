"""Parameters of what a network is shown."""

from typing import Literal

from pydantic import Field

from octa_kedro.config import Config

Sampling = Literal["shuffled", "balanced"]


class ViewsConfig(Config):
    """Which mirror images are looked at too: along x (nasal-temporal), along y (superior-inferior), or both, and then
    both at once as well. Depth is never mirrored."""

    __test__ = False  # for pytest, which takes a class of this name for one of its own

    flip_x: bool = False
    flip_y: bool = False


class AugmentationConfig(Config):
    """Random changes of training images, drawn anew each time an image is used; an amplitude of 0 is off.

    Geometry: `flip` mirrors along x (nasal-temporal, `flip_x`) and along y (superior-inferior, `flip_y`), each
    with probability one half, and never in depth; `shift` moves laterally by up to that share of the field,
    `depth_shift` (volumes only) in depth; `rotation` turns en face, about the depth axis, by up to that many
    degrees, which supposes a grid as fine along x as along y.
    Motion: up to `motion_lines` B-scans (lines along x), each with equal chance either brightened by up to the
    share `motion_gain` or displaced along x by up to the share `motion_shift` of the field.
    Grey levels: `gamma` raises them to a power between 1 / (1 + gamma) and 1 + gamma; `brightness` multiplies
    them by up to 1 +- that share; `offset` adds up to +- that much; `noise` is the standard deviation of
    Gaussian noise. They stay in [0, 1].
    """

    flip: bool = True
    flip_x: bool = True
    flip_y: bool = True
    shift: float = Field(0.0, ge=0, lt=0.5)
    depth_shift: float = Field(0.0, ge=0, lt=0.5)
    rotation: float = Field(0.0, ge=0, le=45)
    motion_lines: int = Field(0, ge=0)
    motion_gain: float = Field(0.5, ge=0)
    motion_shift: float = Field(0.05, ge=0, lt=0.5)
    gamma: float = Field(0.0, ge=0, le=3)
    brightness: float = Field(0.1, ge=0, lt=1)
    offset: float = Field(0.0, ge=0, lt=1)
    noise: float = Field(0.0, ge=0, lt=1)
