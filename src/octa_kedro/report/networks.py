"""Which networks were trained, on what they started, what chose their epoch, and how long it took."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from octa_kedro.cohort.trainings import training_words
from octa_kedro.evaluation.names import readable_model
from octa_kedro.report.sections import Section, Table

STARTS = {"random": "random", "timm": "of a network trained on photographs (timm)",
          "medicalnet": "of a network trained on other volumes (MedicalNet)",
          "pretraining": "of the fold's autoencoder"}  # fmt: skip


def network_facts(card: Mapping[str, Any], weights: int) -> dict[str, Any]:
    """What a report says of a network: `card` is that of its checkpoint as plain data, `weights` how many it has."""
    parameters = card["parameters"]
    stop, start = parameters.get("stop") or {}, parameters.get("start") or {}
    metric, keep = stop.get("metric", "val_loss"), stop.get("keep", "best")
    seen = {used_for: len(subjects) for used_for, subjects in card["seen"].items()}
    return {
        "fold": card["fold"],
        "seed": card["seed"],
        "name": card["model"]["name"],
        "spatial_dims": card["model"]["spatial_dims"],
        "input": ", ".join(card["slabs"]) if card["slabs"] else "the whole volume",
        "weights": weights,
        "start": start.get("weights", "random"),
        "frozen_stages": start.get("frozen_stages", 0),
        "epoch": card["epoch"],
        "max_epochs": parameters.get("max_epochs", 0),
        "metric": metric,
        "keep": keep,
        "keep_from": stop.get("keep_from", 0.0),
        "reached": card["metrics"].get(metric) if keep == "best" else None,
        "classes": list(card["classes"]),
        "seen": seen,
        "code_version": card["code_version"],
    }


def architecture_words(facts: Mapping[str, Any]) -> str:
    """resnet18 in 3D, 520 thousand weights."""
    number = facts["weights"]
    size = f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number / 1e3:.0f} thousand"
    return f"{facts['name']} in {facts['spatial_dims']}D, {size} weights"


def start_words(facts: Mapping[str, Any]) -> str:
    """What the weights were at first."""
    frozen = f"; the first {facts['frozen_stages']} stages stay so" if facts["frozen_stages"] else ""
    return STARTS.get(str(facts["start"]), str(facts["start"])) + frozen


def epoch_words(facts: Mapping[str, Any]) -> str:
    """The rule that chose the epoch that was kept, and which one it was."""
    found = f"epoch {facts['epoch']} of at most {facts['max_epochs']}"
    if facts["keep"] == "last":
        return f"{found}: the last one"
    metric = str(facts["metric"])
    best = "lowest" if metric.endswith(("loss", "brier")) else "highest"
    name = {"val_loss": "validation loss", "val_auroc": "validation AUROC"}.get(metric, metric.replace("_", " "))
    after = math.floor(facts["keep_from"] * facts["max_epochs"])
    since = f" after epoch {after}" if after else ""
    return f"{found}: {best} {name}{since}"


CHOSEN_EPOCH = (
    "A lower loss is not always a higher AUROC: the epoch that was kept need not be the one with the highest curve. "
    "The value that chose an epoch is of a few validation eyes, has no interval, and is no result."
)
LAST_EPOCH = "The last epoch of each is kept: no validation eye chose it."


def network_section(facts: Mapping[str, Sequence[Mapping[str, Any]]]) -> Section:
    """One row per model, and one per network at a click."""
    lines, single = [], []
    for model, networks in facts.items():
        first = networks[0]
        epochs = [int(one["epoch"]) for one in networks]
        lines.append(
            [readable_model(model), architecture_words(first), str(first["input"]), start_words(first),
             epoch_words(first).partition(": ")[2], f"{len(networks)}", _span(epochs)]
        )  # fmt: skip
        for one in networks:
            reached = "n/a" if one["reached"] is None else f"{one['reached']:.3f}"
            counts = ", ".join(f"{number} {used_for}" for used_for, number in one["seen"].items())
            single.append(
                [readable_model(model), training_words(one["fold"], one["seed"]), epoch_words(one), reached, counts]
            )
    columns = ("model", "architecture", "sees", "start weights", "rule that chose the epoch", "networks", "epochs kept")
    tables = [
        Table(columns, lines, names=5, prose=True),
        Table(("model", "training", "epoch kept", "value that chose it", "eyes seen"), single, "Single networks",
              names=5, folded=True),
    ]  # fmt: skip
    chosen = any(one["keep"] != "last" for networks in facts.values() for one in networks)
    text = [f"Each model is trained {_times(facts)} in every fold. {CHOSEN_EPOCH if chosen else LAST_EPOCH}"]
    return Section("Models", text, tables=tables)


def _span(epochs: Sequence[int]) -> str:
    """20 to 31, or the one that all are."""
    return str(min(epochs)) if min(epochs) == max(epochs) else f"{min(epochs)} to {max(epochs)}"


def _times(facts: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How often each fold was trained."""
    seeds = max(int(one["seed"]) for networks in facts.values() for one in networks)
    return "once" if seeds == 1 else f"{seeds} times, with other random numbers,"


def time_table(histories: Mapping[str, Sequence[pd.DataFrame]]) -> Table:
    """How long the epochs of all networks of each model took, as measured while they were trained."""
    lines = []
    for model, tables in histories.items():
        every = pd.concat(tables, ignore_index=True)
        seconds = every["seconds"] if "seconds" in every else pd.Series(dtype=float)
        memory = every["memory_gib"].max() if "memory_gib" in every else float("nan")
        lines.append(
            [readable_model(model), str(len(tables)), str(len(every)), f"{seconds.sum() / 60:.1f}",
             f"{seconds.median():.2f}", f"{memory:.2f}".replace("nan", "not measured")]
        )  # fmt: skip
    columns = ("model", "networks", "epochs", "minutes in all", "median seconds an epoch", "most memory, GiB")
    return Table(columns, lines, "Time and memory of training, as measured")
