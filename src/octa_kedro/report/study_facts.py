"""What the answers of the checklists name, as far as it is known of a study."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

from octa_kedro.cohort.columns import patients_of
from octa_kedro.cohort.splits import fold_columns
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.thresholds import Threshold
from octa_kedro.report.explained import explained_words
from octa_kedro.report.networks import architecture_words, epoch_words, start_words
from octa_kedro.report.study_data import SOURCES, Networks, Origin, Tables
from octa_kedro.report.words import are_floors, metric_words, part_words


def study_facts(
    tables: Tables,
    networks: Networks,
    explanations: Mapping[str, Any],
    origin: Origin,
    *,
    common: pd.DataFrame,
    config: EvaluationConfig,
) -> dict[str, str]:
    """What the checklists' answers name."""
    all_facts = {model: facts[0] for model, facts in networks.facts.items()}
    first = next(iter(all_facts.values()))
    own = tables.metrics[~are_floors(tables.metrics["model"])]
    pairs = tables.comparisons[["first", "second"]].drop_duplicates()
    return {
        **_facts_of_eyes(tables.flow, tables.splits),
        **facts_of_results(tables, config),
        "source": SOURCES.get(origin.source, "of a source that is not known here"),
        "common": str(int(common["common"].max())),
        "common_pairs": str(len(common)),
        "processing": origin.processing,
        "inputs": _each(all_facts, lambda facts: str(facts["input"])),
        "models": _each(all_facts, architecture_words),
        "starts": _each(all_facts, start_words),
        "rules": _each(all_facts, lambda facts: epoch_words(facts).partition(": ")[2]),
        "epochs": _each(all_facts, lambda facts: f"at most {facts['max_epochs']} epochs"),
        "python": platform.python_version(),
        "torch": version("torch"),
        "monai": version("monai"),
        "code_version": str(first["code_version"]),
        "outputs": f"Probabilities of {', '.join(map(str, first['classes']))}",
        "metric_names": ", ".join(metric_words(str(name)) for name in dict.fromkeys(own["metric"])),
        "pairs": str(len(pairs)),
        "explained": explained_words([*explanations]),
        "limits": f"{own['n_patients'].min()} patients in the smallest part that is judged, one source, one division "
        "of the eyes" if len(own) else "no model was judged",
    }  # fmt: skip


def facts_of_results(tables: Tables, config: EvaluationConfig) -> dict[str, str]:
    """What the metrics of the networks say, and how their intervals were made."""
    own = tables.metrics[~are_floors(tables.metrics["model"])]
    rules = dict.fromkeys(str(Threshold(row["threshold"], row["rule"])) for row in own.to_dict("records"))
    return {
        "threshold": ", ".join(rules),
        "level": f"{100 * config.level:g}",
        "resamples": str(config.resamples),
        "subgroups": "subgroups stand in a table of their own" if "subgroups" in tables.more else "subgroups were not "
        "computed",
        "result": _result(own),
    }  # fmt: skip


def _facts_of_eyes(flow: pd.DataFrame, splits: pd.DataFrame) -> dict[str, str]:
    held_out = splits["held_out"].astype(bool)
    columns = fold_columns(splits)
    folds = len({int(k) for k in splits["fold"] if k > 0})
    given = bool(((splits["fold"] == 0) & ~held_out).any())
    missing = int(splits["age"].isna().sum()) if "age" in splits else None
    drawn = (
        "As the column split of the table of eyes says"
        if given
        else f"Drawn at random within disease and field of view, all eyes of a patient together: {int(held_out.sum())} "
        f"eyes held out, the others in {folds} folds, {_times(len(columns))}"
    )
    return {
        **facts_of_cohort(flow, splits),
        "fields": ", ".join(f"{mm:g} mm" for mm in sorted(splits["field_of_view_mm"].dropna().unique())) or "unknown",
        "missing_age": "the table of eyes has no ages" if missing is None else f"age is missing of {missing} eyes",
        "division": drawn,
        "stratified": "as the table of eyes says" if given else "at random within disease and field of view",
        "folds": str(folds),
        "held_out": str(int(held_out.sum())),
    }


def facts_of_cohort(flow: pd.DataFrame, splits: pd.DataFrame) -> dict[str, str]:
    """How many eyes there were and take part, and their classes."""
    counts = splits["label"].astype(str).value_counts(sort=False)
    return {
        "eyes_in": str(int(flow["eyes"].iloc[0])),
        "used": str(int(flow["eyes"].iloc[-1])),
        "patients": str(len(set(patients_of(splits)))),
        "classes": ", ".join(counts.index),
        "class_counts": ", ".join(f"{number} {name}" for name, number in counts.items()),
    }


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _each(facts: Mapping[str, Mapping[str, Any]], words: Any) -> str:
    """model: words, once where it is the same for all."""
    said = {readable_model(model): words(one) for model, one in facts.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{model}: {text}" for model, text in said.items())


def _result(own: pd.DataFrame) -> str:
    rows: Iterable[dict] = own[own["metric"].isin(["auroc", "macro_auroc"])].to_dict("records")
    said = []
    for row in rows:
        who = f"{readable_model(str(row['model']))}, {part_words(str(row['part'])).lower()}"
        value = format_interval(row["value"], row["low"], row["high"])
        said.append(f"{who}: {metric_words(str(row['metric']))} {value}, {row['n_eyes']} eyes")
    return "; ".join(said)
