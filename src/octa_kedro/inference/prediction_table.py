"""The table and the report of an inference: what was said of every eye, how sure, and what speaks against it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro import __version__
from octa_kedro.cohort.flow import STEPS, read_flow
from octa_kedro.explain.predicted import called_class, mean_over_networks
from octa_kedro.explain.target import EXPLAINED_CLASS, PREDICTED, class_index
from octa_kedro.inference.familiarity import STRANGE, judge_familiarity
from octa_kedro.inference.making import LAYER, PROBABILITIES
from octa_kedro.inference.networks import Network
from octa_kedro.preprocessing.appearance import NATIVE
from octa_kedro.preprocessing.copies import CANDIDATE, SAME
from octa_kedro.preprocessing.sketch import SKETCH
from octa_kedro.results.stored import Stored

NOT_ASKED = "not asked for"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Around:
    """What is known of the eyes beside what the networks say, by subject: reasons of bad quality (empty for none),
    `surfaces` (supplied or estimated), and `patients`, where an eye is that of a named person."""

    quality: Mapping[str, str]
    surfaces: Mapping[str, str]
    patients: Mapping[str, str]


def tabulate(
    readings: Mapping[str, Stored],
    images: Mapping[str, Stored],
    networks: Sequence[Network],
    around: Around,
    threshold: float,
) -> pd.DataFrame:
    """One row per eye that was read.

    Columns: subject; predicted (its class: of two the second where its probability reaches `threshold`, of more the
    most probable); probability_<class> for each, the mean over the networks; lowest, highest, deviation (over the
    networks, of the predicted class's probability; the standard deviation of one network is unknown); networks_read
    (how many); quality (why the mission would leave the eye out); familiar (yes, no, unknown) and unfamiliar_in (what
    is unlike the training eyes); learnt_from_this_subject (by its name, by its image under another name, or by another
    eye of its patient);
    learnt_from_copy (the subject whose image, as a network has learnt from it, is this one or a near copy of it; empty
    for none); field_of_view_mm; surfaces; source.
    """
    classes = networks[0].card.classes
    rows = []
    for subject, reading in readings.items():
        shares = np.asarray(reading.meta[PROBABILITIES], float)  # (networks, classes)
        mean = mean_over_networks(shares)
        called = called_class(mean, threshold)
        facts = images[subject].meta
        familiarity = judge_familiarity(facts, networks)
        own = shares[:, called]
        copy, correlation = max((one.card.learnt_copy_of(facts.get(SKETCH, ())) for one in networks), key=itemgetter(1))
        rows.append(
            {
                "subject": subject,
                "predicted": classes[called],
                **{f"probability_{name}": float(share) for name, share in zip(classes, mean, strict=True)},
                "lowest": float(own.min()),
                "highest": float(own.max()),
                "deviation": float(own.std(ddof=1)) if len(own) > 1 else np.nan,
                "networks_read": len(own),
                "quality": around.quality.get(subject, ""),
                "familiar": familiarity.answer,
                "unfamiliar_in": "; ".join(familiarity.reasons),
                "learnt_from_this_subject": correlation >= SAME
                or any(one.card.has_learnt_from(subject, around.patients) for one in networks),
                "learnt_from_copy": copy if correlation >= CANDIDATE else "",
                "field_of_view_mm": facts.get(NATIVE, {}).get("field_x_mm", np.nan),
                "surfaces": around.surfaces.get(subject, "none"),
                "source": facts["source"],
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["subject"])


def write_report(
    table: pd.DataFrame,
    readings: Mapping[str, Stored],
    networks: Sequence[Network],
    flow: pd.DataFrame,
    *,
    target_class: int | str,
    environment: str,
) -> dict[str, Any]:
    """Everything that is needed to say later what these predictions are worth, as plain data."""
    classes = networks[0].card.classes
    target = class_index(target_class, classes)
    eyes = {}
    for row in table.to_dict("records"):
        subject = str(row["subject"])
        facts = readings[subject].meta
        each = [dict(zip(classes, shares, strict=True)) for shares in facts[PROBABILITIES]]
        plain = {str(key): None if pd.isna(value) else value for key, value in row.items() if key != "subject"}
        eyes[subject] = plain | {
            "probabilities_of_each_network": each,
            LAYER: facts[LAYER],
            EXPLAINED_CLASS: facts[EXPLAINED_CLASS],
        }
    return {
        "environment": environment,
        "code_version": __version__,
        "networks": [network.describe() for network in networks],
        "classes": list(classes),
        "explained_class": PREDICTED if target is None else classes[target],
        "processing": networks[0].card.processing.model_dump(mode="json"),
        "left_out": left_out(flow),
        "unlike_the_training_eyes": [subject for subject, row in eyes.items() if row["familiar"] == STRANGE],
        "eyes": eyes,
    }


def left_out(flow: pd.DataFrame) -> dict[str, str]:
    """Why eyes that were asked for were not read, by subject."""
    rows = read_flow(flow)
    gone = rows[(rows["left_at"] != "") & (rows["reason"] != NOT_ASKED)]
    if len(rows) > len(gone) and (rows["reason"] == NOT_ASKED).any():  # one eye was asked for, not all that were found
        gone = gone[gone["left_at"] != STEPS[0]]
    pairs = zip(gone["subject"], gone["left_at"], gone["reason"], strict=True)
    return {str(subject): f"{step}: {reason}" for subject, step, reason in pairs}


def tell(report: Mapping[str, Any]) -> None:
    """The log's lines: how many eyes were read, and a warning for all that is wrong with some."""
    eyes, gone = report["eyes"], report["left_out"]
    log.info("inference: %d eyes read with %d networks, %d left out", len(eyes), len(report["networks"]), len(gone))
    for note in sorted({row[LAYER]["note"] for row in eyes.values()} - {""}):
        log.warning("inference: its maps: %s", note)
    for subject, reason in gone.items():
        log.warning("inference: eye %s left out at %s", subject, reason)
    strange = report["unlike_the_training_eyes"]
    for subject in strange[:10]:
        log.warning("inference: eye %s IS NOT LIKE THE TRAINING EYES: %s", subject, eyes[subject]["unfamiliar_in"])
    if strange:
        log.warning(
            "inference: %d of %d eyes are not like those that the networks were trained on; what is said of them may "
            "mean nothing (column unfamiliar_in of predictions.csv)", len(strange), len(eyes),
        )  # fmt: skip
    for subject, row in eyes.items():
        if row["quality"]:
            log.warning("inference: eye %s is beyond the limits of quality: %s", subject, row["quality"])
    if unknown := [subject for subject, row in eyes.items() if row["familiar"] == "unknown"]:
        log.warning("inference: %d eyes: %s", len(unknown), eyes[unknown[0]]["unfamiliar_in"])
    for subject, row in eyes.items():
        if row["learnt_from_copy"] not in {"", subject}:
            log.warning(
                "inference: the image of eye %s IS THAT OF %s, or nearly so, FROM WHICH A NETWORK HAS LEARNT",
                subject, row["learnt_from_copy"],
            )  # fmt: skip
    if learnt := [subject for subject, row in eyes.items() if row["learnt_from_this_subject"]]:
        log.warning("inference: networks have learnt from %d of these eyes, such as %s", len(learnt), learnt[0])
