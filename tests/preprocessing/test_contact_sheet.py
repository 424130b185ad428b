"""The contact sheet of a cohort."""

import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from octa_kedro.preprocessing.contact_sheet import OUT, Card, contact_sheet
from octa_kedro.preprocessing.quality import Thumbnail


def picture(level: float = 10.0) -> Thumbnail:
    enface = np.full((12, 10), level, np.float32)
    enface[2, 9] = 2 * level  # temporal, superior
    surfaces = np.stack([np.full(12, 4.0), np.full(12, 9.0)]).astype(np.float32)
    return Thumbnail(enface, np.full((12, 16), 90, np.float32), surfaces, (3.0, 3.0, 0.6))


def cards(n: int) -> list[Card]:
    reasons = {1: ("tilt 14.2 deg > 12", "signal 9.7 dB < 13")}
    return [Card(f"{10301 + i}", "NORMAL", "OD", picture(), reasons.get(i, ())) for i in range(n)]


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def test_tiles_say_who_what_and_why_not():
    (page,) = contact_sheet(cards(3), title="Phantoms")
    assert "Phantoms: 3 eyes, 1 left out" in texts(page)
    for word in ("10301", "10303", "NORMAL   OD   3 x 3 mm", "tilt 14.2 deg > 12; signal 9.7 dB < 13"):
        assert word in texts(page)
    frames = [patch.get_edgecolor() for patch in page.artists]
    assert [frame[0] > 0.7 and frame[1] < 0.1 for frame in frames] == [False, True, False]
    red = [text.get_text() for text in page.texts if text.get_color() == OUT and text.get_text()]
    assert red == ["tilt 14.2 deg > 12; signal 9.7 dB < 13"]


def test_an_eye_of_unknown_side_and_long_reasons():
    card = Card("7", "RVO", None, picture(), tuple(f"reason {i} is 12.3 deg > 12" for i in range(12)))
    (page,) = contact_sheet([card])
    assert "side unknown" in texts(page)
    assert " ..." in texts(page)
    assert max(map(len, texts(page).splitlines())) < 75


def test_pages_and_their_size():
    pages = contact_sheet(cards(30))
    assert [len(page.axes) for page in pages] == [48, 12]
    assert "(page 2 of 2)" in texts(pages[1])
    file = io.BytesIO()
    pages[0].savefig(file, format="png")
    width, height = Image.open(file).size
    assert 1500 < width < 2200
    assert 1200 < height < 2200
    assert [len(page.axes) for page in contact_sheet(cards(5), per_page=2)] == [4, 4, 2]


def test_superior_is_up_and_surfaces_are_drawn():
    enface, bscan = contact_sheet(cards(1))[0].axes
    shown = enface.images[0].get_array()
    assert shown.shape == (10, 12)
    assert shown[0, 2] == 20
    assert [line.get_ydata()[0] for line in bscan.lines] == [4, 9]
    bottom, top = bscan.get_ylim()
    assert bottom > top


def test_grey_levels_share_a_scale_so_that_a_weak_scan_looks_weak():
    mixed = [Card(str(i), "DR", "OS", picture(level)) for i, level in enumerate((10.0, 10.0, 3.0))]
    enfaces = contact_sheet(mixed, per_page=2)[0].axes[::2] + contact_sheet(mixed, per_page=2)[1].axes[::2]
    assert len({axes.images[0].get_clim() for axes in enfaces}) == 1


def test_without_inspected_eyes_a_page_says_so():
    (page,) = contact_sheet([])
    assert "none was inspected" in page.texts[0].get_text()
