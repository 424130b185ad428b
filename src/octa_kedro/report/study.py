"""The one report of an evaluation: verdict, data, models, figures, checklists and where all of it comes from."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.cohort.columns import patients_of
from octa_kedro.cohort.splits import fold_columns
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.predictions import FLOOR_MARK
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.thresholds import Threshold
from octa_kedro.report.checklists import answered
from octa_kedro.report.explained import explained_section, explained_words
from octa_kedro.report.eyes_and_splits import (
    LEAK,
    biomarker_section,
    common_patients,
    flow_section,
    split_section,
)
from octa_kedro.report.listed import FIGURES, TABLES
from octa_kedro.report.networks import architecture_words, epoch_words, network_section, start_words, time_table
from octa_kedro.report.origin import Changed, Read, environment_section, parameter_section, version_section
from octa_kedro.report.page import ReportPage
from octa_kedro.report.plain_table import plain_table
from octa_kedro.report.scores import (
    calibration_section,
    comparison_section,
    dimension_section,
    floor_section,
    metric_section,
    permutation_section,
    verdicts,
)
from octa_kedro.report.sections import Picture, Section, Table
from octa_kedro.report.words import metric_words, part_words, with_texts

HISTORY = "Loss, and validation AUROC, of each fold over epochs; the kept epoch is marked, by the rule in the table."


SOURCES = {
    "phantom": "phantom: synthetic eyes, which say nothing about patients",
    "octa500": "OCTA-500",
    "nifti_folder": "a folder of NIfTI volumes",
    "vendor": "files of scanners",
}
"""The `source` of structure.yml in words."""


@dataclass(frozen=True)
class Tables:
    """The tables of a cohort and of an evaluation, as the catalog has them; `biomarkers` may be empty."""

    flow: pd.DataFrame
    splits: pd.DataFrame
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    permutation: pd.DataFrame
    biomarkers: pd.DataFrame
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Networks:
    """By model: the facts of its networks (`networks.network_facts`), and their histories with the figure of them; by
    network: whom it has seen."""

    facts: Mapping[str, Sequence[Mapping[str, Any]]]
    histories: Mapping[str, Sequence[pd.DataFrame]]
    history_figures: Mapping[str, Path]
    seen: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Origin:
    """Where results come from: changed parameters (None: not known) of an environment, datasets read, what the
    predictions were made from, the GPU, and the `source` of structure.yml."""

    changed: Sequence[Changed] | None = None
    environment: str = ""
    read: Sequence[Read] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)
    gpu: str = ""
    processing: str = ""
    source: str = ""


def study_page(
    tables: Tables,
    networks: Networks,
    figures: Mapping[str, Path],
    explanations: Mapping[str, tuple[Mapping[str, Any], Path]],
    *,
    origin: Origin,
    config: EvaluationConfig,
) -> ReportPage:
    """The page of an evaluation. `figures` are PNG files by their names in `listed.FIGURES`; `explanations` have, by
    model, the digest of its explanation (`explained.explanation_digest`) and its page, for those that have one."""
    tables = replace(
        tables,
        **{name: with_texts(getattr(tables, name)) for name in ("flow", "metrics", "comparisons", "calibration",
                                                                "permutation")},
        more={name: with_texts(table) for name, table in tables.more.items()},
    )  # fmt: skip
    common = common_patients(tables.splits, networks.seen)
    dims = {model: int(facts[0]["spatial_dims"]) for model, facts in networks.facts.items()}
    level = config.level
    pictures = [Picture(figures[one.name], one.words, diagram=True) for one in FIGURES if one.name in figures]
    pictures += [
        Picture(file, f"{readable_model(model)}. {HISTORY}", diagram=True)
        for model, file in networks.history_figures.items()
    ]
    sections = [
        dimension_section(tables.comparisons, dims, level),
        flow_section(tables.flow),
        split_section(tables.splits, common),
        network_section(networks.facts),
        metric_section(tables.metrics, level),
        comparison_section(tables.comparisons, level),
        floor_section(tables.metrics, level),
        permutation_section(tables.permutation, level),
        calibration_section(tables.calibration, level),
        *more_tables(tables.more),
        Section("Figures", ["Drawn from the predictions of the tables above."], pictures=pictures),
        biomarker_section(tables.biomarkers, tables.splits, config),
        explained_section(explanations),
        environment_section(origin.gpu, time_table(networks.histories)),
        parameter_section(origin.changed, origin.environment),
        version_section(origin.read, origin.made_from),
        checklist_section(_facts(tables, networks, explanations, origin, common=common, config=config)),
    ]
    leaks = int((common["common"] > 0).sum())
    return ReportPage(
        title="Report of the evaluation",
        conclusions=verdicts(tables.comparisons, tables.metrics, config),
        sections=sections,
        caution=f"{leaks} pairs of parts have {LEAK}." if leaks else "",
        facts=_first_facts(tables, origin),
        headings=("What the comparison shows", ""),
        contents=True,
    )


def _first_facts(tables: Tables, origin: Origin) -> list[tuple[str, str]]:
    """What is judged: whose eyes, how many, and in which run."""
    used, patients = int(tables.flow["eyes"].iloc[-1]), len(set(patients_of(tables.splits)))
    run = next((one.version for one in origin.read if one.name == "evaluation.predictions" and one.version), "")
    facts = [
        ("Eyes", f"{used} of {patients} patients, {int(tables.splits['held_out'].sum())} eyes held out"),
        ("Source", SOURCES.get(origin.source, "not known")),
        ("Predictions of run", run or "not known"),
    ]
    return [*facts, ("Environment", origin.environment)] if origin.environment else facts


def checklist_section(facts: Mapping[str, str]) -> Section:
    """What reviewers ask for."""
    text = [
        "Topics of CLAIM 2024 and TRIPOD+AI in our own words, with what this project knows, and the dataset or "
        "parameter that it was taken from. It replaces neither list: fill in theirs with it. What begins with "
        "\u201cnot available\u201d is yours to write."
    ]
    columns = ("topic", "asked by", "answer", "taken from")
    table = Table(columns, answered(facts), names=4, prose=True)
    return Section("What reviewers ask for", text, tables=[table])


def more_tables(more: Mapping[str, pd.DataFrame]) -> list[Section]:
    """A section for each of `listed.TABLES` that there is."""
    sections = []
    for one in TABLES:
        if one.name in more:
            title = one.name.replace("_", " ").capitalize()
            sections.append(Section(title, [one.words], tables=[plain_table(more[one.name])]))
    return sections


def _facts(
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
    own = tables.metrics[~tables.metrics["model"].astype(str).str.startswith(FLOOR_MARK)]
    rules = dict.fromkeys(str(Threshold(row["threshold"], row["rule"])) for row in own.to_dict("records"))
    pairs = tables.comparisons[["first", "second"]].drop_duplicates()
    return {
        **_facts_of_eyes(tables.flow, tables.splits),
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
        "threshold": ", ".join(rules),
        "metric_names": ", ".join(metric_words(str(name)) for name in dict.fromkeys(own["metric"])),
        "level": f"{100 * config.level:g}",
        "resamples": str(config.resamples),
        "pairs": str(len(pairs)),
        "subgroups": "subgroups stand in a table of their own" if "subgroups" in tables.more else "subgroups were not "
        "computed",
        "explained": explained_words([*explanations]),
        "result": _result(own),
        "limits": f"{own['n_patients'].min()} patients in the smallest part that is judged, one source, one division "
        "of the eyes" if len(own) else "no model was judged",
    }  # fmt: skip


def _facts_of_eyes(flow: pd.DataFrame, splits: pd.DataFrame) -> dict[str, str]:
    held_out = splits["held_out"].astype(bool)
    columns = fold_columns(splits)
    folds = len({int(k) for k in splits["fold"] if k > 0})
    given = bool(((splits["fold"] == 0) & ~held_out).any())
    counts = splits["label"].astype(str).value_counts(sort=False)
    missing = int(splits["age"].isna().sum()) if "age" in splits else None
    drawn = (
        "As the column split of the table of eyes says"
        if given
        else f"Drawn at random within disease and field of view, all eyes of a patient together: {int(held_out.sum())} "
        f"eyes held out, the others in {folds} folds, {_times(len(columns))}"
    )
    return {
        "eyes_in": str(int(flow["eyes"].iloc[0])),
        "used": str(int(flow["eyes"].iloc[-1])),
        "patients": str(len(set(patients_of(splits)))),
        "fields": ", ".join(f"{mm:g} mm" for mm in sorted(splits["field_of_view_mm"].dropna().unique())) or "unknown",
        "classes": ", ".join(counts.index),
        "class_counts": ", ".join(f"{number} {name}" for name, number in counts.items()),
        "missing_age": "the table of eyes has no ages" if missing is None else f"age is missing of {missing} eyes",
        "division": drawn,
        "stratified": "as the table of eyes says" if given else "at random within disease and field of view",
        "folds": str(folds),
        "held_out": str(int(held_out.sum())),
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
