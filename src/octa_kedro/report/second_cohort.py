"""The report of an external test: results of the second cohort, those of the development cohort, and the shift."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.cohort.columns import patients_of
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import is_floor, readable_model
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.thresholds import Threshold
from octa_kedro.external.shift_figure import LARGE
from octa_kedro.report.checklists import OF_A_SECOND_COHORT, answered
from octa_kedro.report.eyes_and_splits import biomarker_section, flow_section, part_table
from octa_kedro.report.listed import FIGURES
from octa_kedro.report.networks import network_section
from octa_kedro.report.origin import environment_section, parameter_section, version_section
from octa_kedro.report.page import ReportPage
from octa_kedro.report.pairs import comparison_section, dimension_section, verdicts
from octa_kedro.report.scores import FIRST, calibration_section, floor_section, metric_section, permutation_section
from octa_kedro.report.sections import Conclusions, Picture, Section, Table
from octa_kedro.report.study import checklist_section, more_tables
from octa_kedro.report.study_data import SOURCES, Origin, Tables
from octa_kedro.report.study_facts import facts_of_cohort, facts_of_results
from octa_kedro.report.words import are_floors, counted, metric_words, part_words, two_digits, with_texts

TITLE = "Report of the external test"
FROZEN = (
    "Nothing was fitted to these eyes: the networks of all folds and seeds, the floors, the thresholds and the "
    "temperatures are those of the development cohort."
)
JUDGED = "Every eye is judged by the mean of all networks of a model; none of them has seen it."
SHIFT = "The second cohort against the development cohort: standardised differences, and what differs most."
MOST_SHIFTED = 5
PREDICTIONS = "external_test.predictions"


def second_cohort_page(
    tables: Tables,
    facts: Mapping[str, Sequence[Mapping[str, Any]]],
    figures: Mapping[str, Path],
    shift: pd.DataFrame,
    development: pd.DataFrame,
    *,
    origin: Origin,
    config: EvaluationConfig,
    names_compared: bool,
) -> ReportPage:
    """The page of an external test. `facts` of networks are by model (`networks.network_facts`), `figures` are PNG
    files by their names in `listed.FIGURES` and ``shift``; `development` is the metric table of the first cohort;
    `names_compared` says whether eyes of the same name were refused."""
    names = ("flow", "metrics", "comparisons", "calibration", "permutation")
    tables = replace(
        tables,
        **{name: with_texts(getattr(tables, name)) for name in names},
        more={name: with_texts(table) for name, table in tables.more.items()},
    )
    level = config.level
    dims = {model: int(own[0]["spatial_dims"]) for model, own in facts.items()}
    pictures = [Picture(figures[one.name], one.words, diagram=True) for one in FIGURES if one.name in figures]
    sections = [
        beside_section(tables.metrics, with_texts(development), level),
        shift_section(shift, figures, level),
        dimension_section(tables.comparisons, dims, level),
        flow_section(tables.flow),
        Section(
            "Eyes of the second cohort", [_strangers(names_compared)], tables=[part_table(tables.splits, parts=False)]
        ),
        network_section(facts),
        metric_section(tables.metrics, level, judged=JUDGED),
        comparison_section(tables.comparisons, level),
        floor_section(tables.metrics, level),
        permutation_section(tables.permutation, level),
        calibration_section(tables.calibration, level),
        *more_tables(tables.more),
        Section("Figures", ["Drawn from the predictions of the tables above."], pictures=pictures),
        biomarker_section(tables.biomarkers, tables.splits, config),
        environment_section(origin.gpu),
        parameter_section(origin.changed, origin.environment),
        version_section(origin.read, origin.made_from),
        checklist_section(answered(_checklist_facts(tables, shift, config, names_compared), OF_A_SECOND_COHORT)),
    ]
    said = verdicts(tables.comparisons, tables.metrics, config)
    return ReportPage(
        title=TITLE,
        conclusions=[
            Conclusions([_frozen_words(tables.metrics), _strangers(names_compared)]),
            *said,
            Conclusions([shift_words(shift)], "Shift"),
        ],
        sections=sections,
        facts=_first_facts(tables, origin),
        headings=("What the external test shows", ""),
        contents=True,
    )


def _strangers(names_compared: bool) -> str:
    """How it is known that the eyes are of other people."""
    if names_compared:
        return "No eye is one of the development cohort: names, patients and images were compared."
    return (
        "No image is one of the development cohort. Names were not compared (external_test.same_names is "
        "other_people): that both cohorts have no person in common is yours to say."
    )


def _first_facts(tables: Tables, origin: Origin) -> list[tuple[str, str]]:
    """Whose eyes are judged, in which run."""
    used, patients = int(tables.flow["eyes"].iloc[-1]), len(set(patients_of(tables.splits)))
    run = next((one.version for one in origin.read if one.name == PREDICTIONS and one.version), "")
    return [
        ("Eyes of the second cohort", f"{used} of {patients} patients"),
        ("Source of the development cohort", SOURCES.get(origin.source, "not known")),
        ("Predictions of run", run or "not known"),
    ]


def _checklist_facts(
    tables: Tables, shift: pd.DataFrame, config: EvaluationConfig, names_compared: bool
) -> dict[str, str]:
    """What `checklists.OF_A_SECOND_COHORT` names."""
    return {
        **facts_of_cohort(tables.flow, tables.splits),
        **facts_of_results(tables, config),
        "strangers": _strangers(names_compared),
        "shift": shift_words(shift),
        "frozen": FROZEN,
    }


def _frozen_words(metrics: pd.DataFrame) -> str:
    rows = metrics.drop_duplicates("model").to_dict("records")
    rules = dict.fromkeys(
        str(Threshold(row["threshold"], row["rule"])) for row in rows if not is_floor(str(row["model"]))
    )
    return f"{FROZEN} The calls are by {', '.join(rules)}."


def beside_section(second: pd.DataFrame, development: pd.DataFrame, level: float) -> Section:
    """The main metrics of each network on the second cohort, and beside them on the development cohort."""
    both = pd.concat([second, development], ignore_index=True)
    own = both[~are_floors(both["model"])]
    lines = []
    for model in dict.fromkeys(own["model"]):
        for metric in (name for name in FIRST if name in set(own["metric"])):
            rows = own[(own["model"] == model) & (own["metric"] == metric)].to_dict("records")
            cells = {row["part"]: format_interval(row["value"], row["low"], row["high"]) for row in rows}
            parts = [cells.get(part, "-") for part in ("external", "held_out", "out_of_fold")]
            lines.append([readable_model(str(model)), metric_words(metric), *parts])
    first = {part: rows.iloc[0] for part, rows in own.groupby("part")}
    heads = [
        f"{part_words(part)}, {counted(first[part].to_dict())}" if part in first else part_words(part)
        for part in ("external", "held_out", "out_of_fold")
    ]
    text = [
        f"In brackets: {100 * level:g} % intervals. The cohorts are of different people, so intervals that overlap say "
        "little; a difference may be owed to who was scanned (case mix) as well as to how."
    ]
    return Section(
        "Second cohort beside development cohort", text, tables=[Table(("model", "metric", *heads), lines, names=2)]
    )


def shift_section(shift: pd.DataFrame, figures: Mapping[str, Path], level: float) -> Section:
    """Case mix, scans, quality and grey levels of both cohorts."""
    lines, strong = [], set()
    for number, row in enumerate(shift.to_dict("records")):
        low, high = row["standardised_difference_low"], row["standardised_difference_high"]
        if low > LARGE or high < -LARGE:
            strong.add(number)
        lines.append(
            [str(row["what"]), str(row["variable"]), _mean(row, "development"), _mean(row, "second"),
             format_interval(row["standardised_difference"], low, high), two_digits(row["ks"]),
             _three(row["wasserstein"])]
        )  # fmt: skip
    columns = (
        "what", "variable", "development", "second cohort",
        f"difference [{100 * level:g} %]", "KS", "Wasserstein",
    )  # fmt: skip
    text = [
        "Of each cohort: mean (standard deviation), number of eyes; of a word the mean is its share. The "
        "difference is standardised: the second cohort less the development cohort, over their common standard "
        f"deviation; rows whose whole interval lies beyond {LARGE:g} "
        "stand out. KS: the largest distance of the two cumulative distributions; Wasserstein: how far values have to "
        "be moved on average, in their own unit. Grey levels are those of processed images; quality is that of all "
        "scans, also of those that were left out for it. With several eyes of a patient the intervals are a little too "
        "narrow."
    ]
    picture = [Picture(figures["shift"], SHIFT, diagram=True)] if "shift" in figures else []
    reasons = {str(name): rows["variable"].tolist() for name, rows in shift.groupby("reason") if name}
    note = "\n".join(f"{', '.join(names)}: {reason}." for reason, names in reasons.items())
    table = Table(columns, lines, note=note, names=2, strong=frozenset(strong))
    return Section("Shift from the development cohort", text, pictures=picture, tables=[table])


def shift_words(shift: pd.DataFrame) -> str:
    """The largest shifts in one sentence."""
    known = shift[shift["standardised_difference_low"].gt(LARGE) | shift["standardised_difference_high"].lt(-LARGE)]
    fixed = [str(row["variable"]) for row in shift.to_dict("records") if str(row["reason"]).startswith("neither")]
    if known.empty and not fixed:
        return f"No variable is shown to differ by more than {LARGE:g} standard deviations."
    order = known["standardised_difference"].abs().sort_values(ascending=False).index
    largest = [
        f"{shift.loc[k, 'variable']} {shift.loc[k, 'standardised_difference']:+.1f}" for k in order[:MOST_SHIFTED]
    ]
    more = f"; constant, but another constant: {', '.join(fixed[:MOST_SHIFTED])}" if fixed else ""
    return (
        f"{len(known)} of {len(shift)} variables differ by more than {LARGE:g} standard deviations"
        f"{', the most: ' if largest else ''}{'; '.join(largest)}{more}."
    )


def _mean(row: Mapping[Any, Any], side: str) -> str:
    if not row[f"n_{side}"]:
        return "not known"
    return f"{_three(row[side])} ({_three(row[f'{side}_sd'])}), {row[f'n_{side}']}"


def _three(number: float) -> str:
    return "n/a" if pd.isna(number) else f"{number:.3g}"
