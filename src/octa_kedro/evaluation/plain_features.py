"""The features of the floors, and the predictions of all floors that a run has the features for."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from octa_kedro.biomarkers.definitions import COLUMNS
from octa_kedro.evaluation.floor import depth_profile_floor, linear_floor, majority_floor, table_floor
from octa_kedro.preprocessing.quality import MEASURES
from octa_kedro.results.stored import Stored

log = logging.getLogger(__name__)

NUMBERS = ("field_of_view_mm", "age", *MEASURES)
WORDS = ("sex", "laterality", "eye")
"""What is known of an eye besides its images, as far as the cohort's and the quality table have it."""
QUANTILES = np.linspace(0, 1, 21)


def all_floors(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    biomarkers: pd.DataFrame,
    quality: pd.DataFrame,
    splits: pd.DataFrame,
) -> pd.DataFrame:
    """One predictions table of every floor: depth profile, biomarkers, en-face histogram, confounders, majority.

    A floor without features is left out: biomarkers where no retina was looked for, the histogram where no en-face
    maps were made. The log says so.
    """
    subjects = splits["subject"].astype(str).tolist()
    floors = [depth_profile_floor({name: images[name]().array.mean(axis=(0, 1)) for name in subjects}, splits)]
    if len(biomarkers):
        floors.append(table_floor(biomarker_features(biomarkers), splits, "floor_biomarkers"))
    else:
        log.info("floors: none by biomarkers, since no retina was looked for")
    if all(name in maps for name in subjects):
        histograms = {name: enface_histogram(maps[name]().array) for name in subjects}
        floors.append(linear_floor(histograms, splits, "floor_enface_histogram"))
    else:
        log.info("floors: none by en-face histograms, since no maps were made (processing.slabs)")
    floors.append(table_floor(confounders(splits, quality), splits, "floor_confounders"))
    return pd.concat([*floors, majority_floor(splits)], ignore_index=True)


def biomarker_features(table: pd.DataFrame) -> pd.DataFrame:
    """The biomarkers by subject. Where the eye lies in its scan and the scan's sampling are no biomarkers."""
    return table.set_index(table["subject"].astype(str))[list(COLUMNS)].astype(float)


def enface_histogram(array: np.ndarray) -> np.ndarray:
    """The histogram of each map of ``[x, y, map]``, as its quantiles in steps of 5 %: (21 * maps,). Quantiles say the
    same as counts and need no range of grey levels to be known."""
    return np.quantile(array.reshape(-1, array.shape[2]), QUANTILES, axis=0).T.ravel()


def confounders(splits: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """By subject, what is known without a look at blood or layers: field of view, age, sex, side, quality of the scan.

    Columns are those of NUMBERS and WORDS that one of the two tables has.
    """
    eyes = splits.assign(subject=splits["subject"].astype(str)).set_index("subject")
    measured = quality.assign(subject=quality["subject"].astype(str)).drop_duplicates("subject").set_index("subject")
    found: dict[str, pd.Series] = {}
    for name in (*NUMBERS, *WORDS):
        column = eyes[name] if name in eyes else measured[name].reindex(eyes.index) if name in measured else None
        if column is not None:
            found[name] = pd.to_numeric(column, errors="coerce").astype(float) if name in NUMBERS else column
    return pd.DataFrame(found, index=eyes.index)
