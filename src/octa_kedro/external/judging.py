"""What frozen networks and floors say of the second cohort, with the threshold and temperature that are frozen too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from octa_kedro.cohort.columns import class_names, subjects_of
from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.cohort.splits import fold_columns
from octa_kedro.errors import CheckpointError, DataError, LeakError
from octa_kedro.evaluation.plain_features import all_floors
from octa_kedro.evaluation.predictions import (
    EXTERNAL,
    FROZEN_RULE,
    FROZEN_TEMPERATURE,
    FROZEN_THRESHOLD,
    HELD_OUT,
    pool_predictions,
    require_same_eyes,
    with_seed,
)
from octa_kedro.external.config import ExternalConfig
from octa_kedro.preprocessing.copies import SAME
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.preprocessing.sketch import SKETCH
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard, restore_model
from octa_kedro.training.config import FittingConfig
from octa_kedro.training.guard import patients_in, require_same_references
from octa_kedro.training.predict import class_probabilities, probability_columns

MARK = " (second cohort)"
"""Behind the names of the second cohort's eyes where they stand beside those of the first."""


def predict_second(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoint: Checkpoint,
    config: FittingConfig,
    external: ExternalConfig,
) -> pd.DataFrame:
    """The predictions of one network for all eyes of the second cohort, with the columns of `predict.predict_fold`.

    CheckpointError for other classes than the network's, or a registration to other eyes; ConfigError for images that
    were processed otherwise; LeakError if the network has learnt from one of the eyes, by name or by image.
    """
    card = checkpoint.card
    table = splits.assign(role=HELD_OUT)
    subjects = subjects_of(table, HELD_OUT)
    if class_names(table) != card.classes:
        raise CheckpointError(
            f"{card.saved_as or 'the checkpoint'} knows the classes {', '.join(card.classes)}, but the second cohort "
            f"has {', '.join(class_names(table))}; give the classes that it was trained with"
        )
    own = {subject: images[subject] for subject in subjects}
    require_processed_as(own, card.processing, who="the checkpoint")
    require_same_references(own, card, card.saved_as or "the checkpoint")
    _require_unseen(own, table, card, external)
    shares = class_probabilities(
        restore_model(checkpoint), card, own, subjects, device=config.device, workers=config.workers
    )
    kept = [name for name in ("patient",) if name in table]
    return pd.DataFrame(
        {
            "subject": subjects,
            **{name: table[name].to_numpy() for name in kept},
            "part": EXTERNAL,
            "fold": card.fold,
            "seed": card.seed,
            "network": card.model.canonical_name,
            "disease": table["disease"].to_numpy(),
            "target": table["target"].to_numpy(),
            **probability_columns(shares, card.classes),
        }
    )


def _require_unseen(
    images: Mapping[str, Stored], table: pd.DataFrame, card: CheckpointCard, external: ExternalConfig
) -> None:
    """The cohort was compared with that of the mission; here it is with whom this very network has seen."""
    if external.same_names == "refuse":
        patients = {**card.patients, **patients_in(table)}
        require_disjoint(
            images, card.learnt_from(), judge="second cohort", learner=card.saved_as or "a network", patients=patients
        )
    for subject, stored in images.items():
        other, correlation = card.learnt_copy_of(stored.meta.get(SKETCH, ()))
        if correlation >= SAME:
            raise LeakError(
                f"second cohort: the image of {subject} is that of {other}, from which {card.saved_as or 'a network'} "
                "has learnt; leave it out (external_test.exclude)"
            )


@dataclass(frozen=True)
class Features:
    """What floors are made of (`plain_features.all_floors`), of one cohort."""

    images: Mapping[str, Stored]
    maps: Mapping[str, Stored]
    biomarkers: pd.DataFrame
    quality: pd.DataFrame
    splits: pd.DataFrame


def second_floors(first: Features, second: Features) -> pd.DataFrame:
    """The predictions of all floors for the `second` cohort: fitted on each fold's training eyes of the `first`, as in
    the evaluation, and applied as they are."""
    table = all_floors(
        _both_images(first.images, second.images),
        _both_images(first.maps, second.maps),
        _both_tables(first.biomarkers, second.biomarkers),
        _both_tables(first.quality, second.quality),
        _both_splits(first.splits, second.splits),
    )
    own = table[table["part"] == HELD_OUT]
    names = own["subject"].astype(str).str.removesuffix(MARK)
    patients = {"patient": own["patient"].astype(str).str.removesuffix(MARK)} if "patient" in own else {}
    return own.assign(subject=names, part=EXTERNAL, **patients).reset_index(drop=True)


def _both_images(one: Mapping[str, Stored], other: Mapping[str, Stored]) -> dict[str, Stored]:
    """Images of both cohorts, those of the second under names of their own."""
    return {**one, **{f"{name}{MARK}": stored for name, stored in other.items()}}


def _both_tables(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Rows of both cohorts; a table without eyes is left as it is, since no floor can be made of it."""
    if one.empty or other.empty:
        return one.iloc[:0]
    return pd.concat([one.assign(subject=one["subject"].astype(str)), _marked(other)], ignore_index=True)


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(subject=table["subject"].astype(str) + MARK)


def _both_splits(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The development eyes of the first cohort, and those of the second as held out."""
    development = first[~first["held_out"].astype(bool)]
    added = _marked(second).assign(held_out=True, **dict.fromkeys(fold_columns(first), 0))
    if "patient" in second:
        added = added.assign(patient=second["patient"].astype(str) + MARK)
    both = pd.concat([development.assign(subject=development["subject"].astype(str)), added], ignore_index=True)
    if "patient" in both:
        both = both.assign(patient=both["patient"].where(both["patient"].notna(), both["subject"]))
    return both.assign(held_out=both["held_out"].astype(bool))


def pool_second(
    networks: Sequence[pd.DataFrame],
    floors: pd.DataFrame,
    metrics: pd.DataFrame,
    calibration: pd.DataFrame,
    seeds: Mapping[str, int],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per model and eye, the mean of all its networks, and one per network and eye.

    Each has the columns `FROZEN_THRESHOLD`, `FROZEN_RULE` and `FROZEN_TEMPERATURE`: those that the evaluation's
    `metrics` and `calibration` of the development cohort state of the model. DataError for a model that they lack, and
    for models that judged different eyes.
    """
    by_network = with_seed(pd.concat([*networks, floors], ignore_index=True))
    pooled = pool_predictions(by_network, seeds=seeds)
    require_same_eyes(pooled)
    frozen = _frozen(metrics, calibration)
    if missing := [model for model in dict.fromkeys(pooled["model"]) if model not in frozen]:
        raise DataError(
            f"evaluation.metrics has no threshold of {missing[0]}; run the pipeline evaluation again with these models"
        )
    return _with_frozen(pooled, frozen), _with_frozen(by_network, frozen)


def _frozen(metrics: pd.DataFrame, calibration: pd.DataFrame) -> dict[str, tuple[float, str, float]]:
    """Threshold, rule and temperature of each model."""
    temperature = calibration.drop_duplicates("model").set_index("model")["temperature"]
    first = metrics.drop_duplicates("model")[["model", "threshold", "rule"]]
    return {
        str(model): (float(value), str(rule), float(temperature.get(model, float("nan"))))
        for model, value, rule in first.itertuples(index=False)
    }


def _with_frozen(table: pd.DataFrame, frozen: Mapping[str, tuple[float, str, float]]) -> pd.DataFrame:
    columns = zip((FROZEN_THRESHOLD, FROZEN_RULE, FROZEN_TEMPERATURE), zip(*frozen.values(), strict=True), strict=True)
    models = table["model"].astype(str)
    return table.assign(**{name: models.map(dict(zip(frozen, values, strict=True))) for name, values in columns})
