"""The one report of an evaluation: verdict, data, models, figures, checklists and where all of it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.cohort.columns import patients_of
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import readable_model
from octa_kedro.report.checklists import answered
from octa_kedro.report.explained import explained_section
from octa_kedro.report.eyes_and_splits import LEAK, biomarker_section, common_patients, flow_section, split_section
from octa_kedro.report.groups import subgroup_section, variation_section
from octa_kedro.report.listed import FIGURES, TABLES
from octa_kedro.report.networks import network_section, time_table
from octa_kedro.report.origin import environment_section, parameter_section, version_section
from octa_kedro.report.page import ReportPage
from octa_kedro.report.pairs import comparison_section, dimension_section, verdicts
from octa_kedro.report.scores import calibration_section, floor_section, metric_section, permutation_section
from octa_kedro.report.sections import Picture, Section, Table
from octa_kedro.report.study_data import SOURCES, Networks, Origin, Tables
from octa_kedro.report.study_facts import study_facts
from octa_kedro.report.words import with_texts

MORE = {"subgroups": subgroup_section, "variation": variation_section}
HISTORY = "Loss, and validation AUROC, of each fold over epochs; the kept epoch is marked, by the rule in the table."


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
        checklist_section(answered(study_facts(tables, networks, explanations, origin, common=common, config=config))),
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


def checklist_section(answers: Sequence[tuple[str, str, str, str]]) -> Section:
    """What reviewers ask for, with the answers of `checklists.answered`."""
    text = [
        "Topics of CLAIM 2024 and TRIPOD+AI in our own words, with what this project knows, and the dataset or "
        "parameter that it was taken from. It replaces neither list: fill in theirs with it. What begins with "
        "\u201cnot available\u201d is yours to write."
    ]
    columns = ("topic", "asked by", "answer", "taken from")
    table = Table(columns, answers, names=4, prose=True)
    return Section("What reviewers ask for", text, tables=[table])


def more_tables(more: Mapping[str, pd.DataFrame]) -> list[Section]:
    """A section for each of `listed.TABLES` that there is."""
    return [MORE[name](more[name]) for name in TABLES if name in more]
