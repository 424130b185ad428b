"""Parameters of the viewer."""

from typing import Literal

from pydantic import Field

from octa_kedro.config import Config


class ViewerConfig(Config):
    """How a map is shown when the page is opened; each of these has a control on the page.

    `threshold` is a share of the scale: weaker evidence is not shown. `opacity` is that of the map over the eye.
    `common_scale` shows all eyes on the scale of the strongest map among them, so that a map is bright only where its
    evidence is strong beside that of other eyes; otherwise each eye has a scale of its own.
    """

    colormap: Literal["inferno", "hot", "magma", "plasma", "viridis", "turbo"] = "hot"
    opacity: float = Field(0.6, ge=0, le=1)
    threshold: float = Field(0.2, ge=0, lt=1)
    common_scale: bool = True
