"""The figures and further tables of an evaluation that its report shows. To show one more, add its line here."""

from typing import NamedTuple


class Listed(NamedTuple):
    """A dataset ``evaluation.<name>`` (a figure: ``evaluation.<name>_figure``), and what a reader has to know of it."""

    name: str
    words: str


FIGURES = (
    Listed("forest", "AUROC of all models and floors, with intervals."),
    Listed("roc", "ROC curves: sensitivity at each share of false alarms. The legend has AUROC and its interval."),
    Listed("precision_recall", "Precision at each sensitivity. Chance is the share of positive eyes."),
    Listed("confusion", "Confusion: how many eyes of each class were called what, and as a share of their class."),
    Listed(
        "reliability", "Reliability: the share of positive eyes at each probability, before and after a temperature."
    ),
    Listed("decision", "Decision curves: net benefit at each threshold, beside calling all eyes or none."),
    Listed("spread", "What single trainings reach, beside the mean of all."),
    Listed("errors", "The worst errors: probability on the wrong side, with image and quality."),
)
TABLES = ("subgroups", "variation")
"""Each has a section of its own (`study.MORE`)."""
