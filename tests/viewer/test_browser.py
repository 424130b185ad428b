"""The page in a real browser, opened from the disk."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from octa_kedro.viewer.page import write_viewer
from tests.viewer.eyes import PEAK, small_eye

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def open_page(index: Path, subject: str, profile: Path) -> tuple[str, np.ndarray]:
    """The page as the browser has it after loading the eye, and a picture of it ``[row, column, colour]``."""
    picture = profile / "page.png"
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--window-size=1200,800",
        f"--screenshot={picture}", "--dump-dom", f"{index.as_uri()}#eye={subject}",
    ]  # fmt: skip
    page = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    return page, np.asarray(Image.open(picture).convert("RGB")).astype(int)


def test_the_page_shows_an_eye_from_the_disk(tmp_path):
    index = write_viewer(tmp_path / "viewer", [small_eye("a"), small_eye("b")], findings={5: "neovascular"})
    page, picture = open_page(index, "b", tmp_path / "profile")
    assert 'data-state="ready"' in page, re.findall(r'<p id="message".*?</p>', page)
    # It opens at the strongest point of the map, and says what is there.
    x, y, z = (small_eye().heat.affine @ [*PEAK, 1])[:3]
    assert f"x {x:.2f} mm, y {y:.2f} mm, depth {z:.3f} mm" in page
    assert "map 0.0200" in page
    assert "slab upper " in page
    assert "lesion neovascular" in page
    # Red of the map and grey of the eye are drawn in the views, to the right of the list.
    views = picture[200:, 450:]
    red = (views[..., 0] > 120) & (views[..., 2] < 60)
    grey = (np.ptp(views, axis=2) < 10) & (views[..., 0] > 60)
    assert red.sum() > 300
    assert grey.sum() > 5000
