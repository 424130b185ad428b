"""Draw the picture of the README: three phantom eyes at the sampling of a real 3 mm scan.

python tools/draw_readme_picture.py          # writes docs/images/phantom.png, about a minute
"""

import io
from pathlib import Path

from PIL import Image

from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.gallery import gallery_eyes, gallery_figure

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "phantom.png"
SHOWN = ("NORMAL", "DR", "CNV")
DPI = 75
COLOURS = 128


def main() -> None:
    """Draw it small enough for a repository: 1200 pixels wide, with a palette."""
    eyes = gallery_eyes(PhantomConfig(shapes={"3mm": (304, 304, 640), "6mm": (400, 400, 640)}))
    title = "Phantom eyes, 3 mm wide: B-scans, en-face OCTA of four slabs, and the known lesions"
    figure = gallery_figure({word: eyes[word] for word in SHOWN}, title=title)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
