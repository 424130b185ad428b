"""Where panels lie."""

import pytest

from octa_kedro.panels import Margins, figure_of_panels


def test_panels_and_what_is_round_them_have_the_inches_asked_for():
    margins = Margins(left=1, right=0.5, top=0.7, bottom=0.3, across=0.5, down=1)
    _, axes = figure_of_panels((10, 5), 2, 3, margins, width_ratios=(2, 1, 1))
    assert axes.shape == (2, 3)
    (x, y, width, height), (after, below, _, _) = (
        [share * inches for share, inches in zip(axes[at].get_position().bounds, (10, 5, 10, 5), strict=True)]
        for at in ((0, 0), (1, 1))
    )
    assert (x, below) == pytest.approx((1, 0.3))
    assert y + height == pytest.approx(5 - 0.7)
    assert after - (x + width) == pytest.approx(0.5)
    assert y - (below + height) == pytest.approx(1)
