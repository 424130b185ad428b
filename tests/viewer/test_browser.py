"""The page in a real browser, opened from the disk."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from octa_kedro.viewer.page import link_back, write_viewer
from octa_kedro.viewer.widget import show_eye
from tests.viewer.eyes import PEAK, SHAPE, left_eye, small_eye
from tests.viewer.notebook_stub import write_page

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
    assert f"x {x:.2f} mm, y {y:.2f} mm, depth {z:.3f} mm of the scan" in page
    assert "map 0.0200" in page
    assert "slab upper " in page
    assert "lesion neovascular" in page
    # Red of the map and grey of the eye are drawn in the views, to the right of the list.
    views = picture[200:, 450:]
    red = (views[..., 0] > 120) & (views[..., 2] < 60)
    grey = (np.ptp(views, axis=2) < 10) & (views[..., 0] > 60)
    assert red.sum() > 300
    assert grey.sum() > 5000


def test_the_page_tells_the_depth_below_the_ilm_and_leads_back_to_the_results(tmp_path):
    scores = {"voxel_ap": 0.51, "mass_in_lesion": 0.2}
    ilm = np.full(SHAPE[:2], 0.1)
    ilm[0, 0] = np.nan
    eyes = [small_eye("a", ilm=ilm, scores=scores, spread=0.125), small_eye("b", scores=scores)]
    index = write_viewer(tmp_path / "viewer", eyes)
    link_back(index, tmp_path / "results.html")
    page, _ = open_page(index, "a", tmp_path / "profile")
    below = round(1000 * ((small_eye().heat.affine @ [*PEAK, 1])[2] - 0.1))
    assert f"({below} \N{MICRO SIGN}m below the ILM)" in page
    assert re.findall(r'title="Sort by ([^"]+)"', page) == [
        "subject", "label", "p(disease)", "spread", "held out", "voxel AP", "energy in lesion",
    ]  # fmt: skip
    assert re.search(r'<a id="back" href="../results.html">', page)
    other, _ = open_page(index, "b", tmp_path / "profile")
    assert "below the ILM" not in other


@pytest.mark.parametrize(("mirrored", "ends"), [(True, ("T", "N")), (False, ("N", "T"))])
def test_a_left_eye_has_its_letters_and_the_millimetres_of_its_raw_scan(tmp_path, mirrored, ends):
    index = write_viewer(tmp_path / "viewer", [left_eye("a", mirrored=mirrored)])
    page, picture = open_page(index, "a", tmp_path / "profile")
    x, y, z = (small_eye().heat.affine @ [*PEAK, 1])[:3]
    assert f"x {x:.2f} mm, y {y:.2f} mm, depth {z:.3f} mm of the scan" in page
    left, right = (re.search(rf'id="enface".*?class="{side}">(.)<', page)[1] for side in ("left", "right"))
    assert (left, right) == ends
    views = picture[200:, 450:]
    assert ((views[..., 0] > 120) & (views[..., 2] < 60)).sum() > 300  # the map is drawn


def test_the_notebook_widget_draws_the_eye_and_its_map(tmp_path):
    index = write_page(tmp_path / "cell.html", show_eye(small_eye()))
    page, picture = open_page(index, "", tmp_path / "profile")
    assert 'data-state="drawn"' in page, re.findall(r'data-state="[^"]*"', page)
    views = picture[:450]  # above the colour bars
    assert ((views[..., 0] > 1.3 * views[..., 2] + 30) & (views[..., 0] < 250)).sum() > 300  # the map
    assert ((np.ptp(views, axis=2) < 10) & (views[..., 0] > 60)).sum() > 5000  # the eye
