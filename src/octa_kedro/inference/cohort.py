"""Which eyes of a source are read: all of them, whatever a label sheet says, or the one that is asked for."""

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.errors import ConfigError
from octa_kedro.identifiers import Given, find_name
from octa_kedro.inference.prediction_table import NOT_ASKED
from octa_kedro.io.source import Source
from octa_kedro.preprocessing.config import ProcessingConfig


def unlabelled(
    source: Source, cohort: CohortConfig, processing: ProcessingConfig, subject: Given | None
) -> CohortConfig:
    """The cohort's configuration without labels and exclusions, for the scans that `processing` reads.

    ConfigError if the source has no eye `subject`.
    """
    subjects = source.subjects()
    others: dict[str, str] = {}
    if subject is not None:
        wanted = find_name(subject, subjects, "inference.subject")
        if wanted is None:
            shown = ", ".join(subjects[:5]) + (", ..." if len(subjects) > 5 else "")
            raise ConfigError(f"inference.subject={subject}: no such eye in the source, which holds {shown}")
        others = {other: NOT_ASKED for other in subjects if other != wanted}
    needed = [processing.modality, *cohort.modalities, *(["OCT"] if processing.reads_oct else [])]
    changes = {"labelled": False, "exclude": others, "modalities": tuple(dict.fromkeys(needed))}
    return cohort.model_copy(update=changes)
