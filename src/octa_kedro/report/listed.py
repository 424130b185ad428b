"""The figures and tables of an evaluation that its report shows. To show one more, add its line here."""

from typing import NamedTuple


class Listed(NamedTuple):
    """A dataset ``evaluation.<name>`` (a figure: ``evaluation.<name>_figure``), and what a reader has to know of it."""

    name: str
    words: str


FIGURES = (
    Listed("roc", "ROC curves: sensitivity at each share of false alarms. The legend has AUROC and its interval."),
    Listed("confusion", "Confusion: how many eyes of each class were called what, and as a share of their class."),
)
TABLES: tuple[Listed, ...] = ()
"""Tables in plain columns; of columns x, x_low and x_high, or value, low and high, one cell is made."""
