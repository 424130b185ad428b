"""The model card of one network, to lie beside its checkpoint: what it is for, learnt from, worth, and made from."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.tables import as_text, format_interval, markdown_table
from octa_kedro.io.seals import PARAMETERS, SHOWN
from octa_kedro.report.networks import architecture_words, epoch_words, start_words
from octa_kedro.report.words import counted, metric_words, notes_words, part_words, with_texts

USE = (
    "Research on OCT angiography scans that were processed as below. It gives probabilities of {classes}. It is no "
    "medical device: no patient may be treated by what it says. Who may use it, and for whom, its authors have to say."
)
LIMITS = (
    "It knows eyes like those it has learnt from; an inference says in its column `familiar` where an eye is not.",
    "Its worth was measured on the same source of scans that it was trained on. Another device, field of view or "
    "population can lower it, and only a test on such eyes can tell.",
    "The figures above are of its model: held-out eyes are judged by the mean of all networks of the model, "
    "out-of-fold eyes by one network each. This network alone may be better or worse.",
)


def model_card(model: str, facts: Mapping[str, Any], card: Mapping[str, Any], metrics: pd.DataFrame) -> str:
    """Markdown of a network of `model`: `facts` as of `networks.network_facts`, `card` its checkpoint's as plain data,
    `metrics` the metric table of all models."""
    classes = " and ".join(as_text(str(name)) for name in facts["classes"])
    own = with_texts(metrics[metrics["model"] == model])
    blocks = [
        f"# Model card: {readable_model(model)}, fold {facts['fold']}",
        f"{architecture_words(facts)}. Start weights: {start_words(facts)}. Kept: {epoch_words(facts)}.",
        "## Intended use",
        USE.format(classes=classes),
        "## Data",
        _data(facts, card),
        "## Metrics",
        _metrics(own),
        "## Limits",
        "\n".join(f"- {words}" for words in [*LIMITS, *_small(own)]),
        "## Made from",
        _made_from(card),
    ]
    return "\n\n".join(blocks) + "\n"


def _data(facts: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    people = {used: _people(subjects, card["patients"]) for used, subjects in card["seen"].items()}
    seen = [f"- {used}: {facts['seen'][used]} eyes of {people[used]} patients" for used in facts["seen"]]
    processing = card["processing"]
    grid = " x ".join(map(str, processing["grid"])) if isinstance(processing.get("grid"), list) else "as the scans"
    return "\n".join([*seen, f"- input: {as_text(str(facts['input']))}, grid {grid} voxels"])


def _people(subjects: list[str], patients: Mapping[str, str]) -> int:
    return len({patients.get(subject, subject) for subject in subjects})


def _metrics(own: pd.DataFrame) -> str:
    if own.empty:
        return "No metric of this model is known."
    lines = [["part", "metric", "value [interval]", "eyes"]]
    for row in own.to_dict("records"):
        value = format_interval(row["value"], row["low"], row["high"])
        cells = [part_words(str(row["part"])), metric_words(str(row["metric"])), value, counted(row)]
        lines.append([as_text(cell) + " \\*" * bool(row["reason"] and cell is value) for cell in cells])
    notes = [as_text(f"{part_words(str(part))}: {line.removeprefix('* ')}")
             for part, rows in own.groupby("part", sort=False) for line in notes_words(rows).splitlines()]  # fmt: skip
    return "\n".join([markdown_table(lines), "", *(f"- \\* {note}" for note in notes)])


def _small(own: pd.DataFrame) -> list[str]:
    fewest = own["n_patients"].min() if len(own) else 0
    return [f"The smaller part has {fewest} patients: the intervals are wide, and mean what they say."]


def _made_from(card: Mapping[str, Any]) -> str:
    names = sorted(card["made_from"])
    shown = [f"- {name.removeprefix(PARAMETERS)}: {card['made_from'][name][:SHOWN]}" for name in names]
    own = [f"- weights: {card['weights_sha256'][:SHOWN]}", f"- code version: {as_text(str(card['code_version']))}"]
    return "First digits of SHA-256:\n\n" + "\n".join([*own, *shown])
