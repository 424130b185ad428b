"""An animated walk through an eye: its B-scans one after the other, with the map over them."""

import io

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from octa_kedro.explain.pictures import DIMMED, HEAT, MAX_ALPHA
from octa_kedro.explain.titles import ends_of_x
from octa_kedro.io.volume import Volume

WIDTH = 360
"""Of one B-scan, in pixels; the eye and the eye with its map stand side by side."""
CAPTION = 18
LESION_RGB = (0x56, 0xB4, 0xE9)


def sweep_gif(
    image: Volume,
    heat: Volume,
    scale: float,
    lesion: Volume | None = None,
    *,
    frames: int = 48,
    ms: int = 120,
    depth_stretch: float = 2.0,
    mirrored: bool | None = None,
) -> bytes:
    """The B-scans of an eye as an animated GIF: left the eye, right with the raw map against `scale`.

    At most `frames` of them, evenly chosen from the first to the last and shown `ms` milliseconds each, depth drawn
    `depth_stretch` times as high as it is. The lesion's outline is drawn where a mask is known. `mirrored` as
    of `overlay.volume_figure`. The same eye gives the same bytes.
    """
    n = image.array.shape[1]
    chosen = np.unique(np.linspace(0, n - 1, min(frames, n)).round().astype(int))
    white = max(float(np.percentile(image.array, 99.5)), 1e-6)
    x_mm, _, z_mm = image.extent_mm
    size = (WIDTH, max(1, round(WIDTH * z_mm / x_mm * depth_stretch)))
    pictures = [_frame(image, heat, lesion, y=int(y), white=white, scale=scale, size=size) for y in chosen]
    ends = ends_of_x(image.laterality, mirrored)
    if ends is not None:
        for picture in pictures:
            ImageDraw.Draw(picture).text((size[0] + 6, 3), f"left {ends[0]}, right {ends[1]}", fill="white")
    palette = _palette()
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    stream = io.BytesIO()
    indexed[0].save(stream, "GIF", save_all=True, append_images=indexed[1:], duration=ms, loop=0, optimize=False)
    return stream.getvalue()


def _frame(
    image: Volume, heat: Volume, lesion: Volume | None, *, y: int, white: float, scale: float, size: tuple[int, int]
) -> Image.Image:
    grey = np.repeat(np.clip(image.array[:, y].T / white, 0, 1)[..., None], 3, axis=2)
    strength = np.clip(heat.array[:, y].T / max(scale, 1e-12), 0, 1)
    alpha = MAX_ALPHA * strength[..., None]
    warm = DIMMED * grey * (1 - alpha) + colormaps[HEAT](strength)[..., :3] * alpha
    page = Image.new("RGB", (2 * size[0] + 2, size[1] + CAPTION))
    edge = None if lesion is None else _edge(np.asarray(lesion.array)[:, y].T > 0, size)
    for k, array in enumerate((grey, warm)):
        picture = Image.fromarray((255 * array + 0.5).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
        if edge is not None:
            picture.paste(LESION_RGB, mask=Image.fromarray(edge))
        page.paste(picture, (k * (size[0] + 2), CAPTION))
    mm = (y + 0.5) * image.spacing[1]
    ImageDraw.Draw(page).text((4, 3), f"B-scan {y + 1} of {image.array.shape[1]}, y = {mm:.2f} mm", fill="white")
    return page


def _edge(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels along the inner border of a mask, after it was enlarged to `size` (width and height)."""
    big = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    around = np.pad(big, 1)
    inside = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.where(big & ~inside, 255, 0).astype(np.uint8)


def _palette() -> Image.Image:
    """The colours of a map over dimmed grey in 13 x 16 steps, 40 greys, and the lesion's: the same in every file."""
    grey, strength = (a.ravel()[:, None] for a in np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 16)))
    alpha = MAX_ALPHA * strength
    warm = DIMMED * grey * (1 - alpha) + colormaps[HEAT](strength[:, 0])[:, :3] * alpha
    greys = np.repeat(np.linspace(0, 1, 40)[:, None], 3, axis=1)
    colours = (255 * np.concatenate([warm, greys]) + 0.5).astype(np.uint8)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*colours.ravel().tolist(), *LESION_RGB])
    return palette
