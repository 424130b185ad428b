"""Which eyes took part, how they were divided, and the proof that no part shares a patient with another."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from octa_kedro.biomarkers.definitions import UNITS
from octa_kedro.cohort.columns import patients_of
from octa_kedro.cohort.flow import ALL, USED
from octa_kedro.cohort.leak import person_of
from octa_kedro.cohort.splits import fold_columns, fold_table
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.intervals import mean_interval
from octa_kedro.report.sections import Section, Table
from octa_kedro.report.words import network_words

ROLES = {"train": "training", "validation": "validation", "held_out": "held out"}
PAIRS = (("train", "validation"), ("train", "held_out"), ("validation", "held_out"))
SHOWN_BIOMARKERS = (
    *("vessel_density_SVP_whole", "vessel_density_DVP_whole", "skeleton_density_SVP_whole", "faz_area"),
    *("faz_circularity", "nonperfused_area_SVP", "nonperfused_area_DVP", "vessel_calibre_SVP"),
    *("thickness_retina_centre", "thickness_retina_whole", "thickness_ganglion_complex_whole"),
)
"""Of some hundred columns, those that papers report most."""
LEAK = "patients in common: this must be 0, and no figure below may be believed until it is"


def flow_section(flow: pd.DataFrame) -> Section:
    """How many eyes came in, left and took part."""
    came, used = int(flow["eyes"].iloc[0]), int(flow["eyes"].iloc[-1])
    lines = [[str(cell) for cell in row] for row in flow.itertuples(index=False)]
    names = {"step": "left at", "reason": "why", "eyes": "eyes"}
    columns = [names.get(str(name), str(name)) for name in flow.columns]
    strong = frozenset(n for n, line in enumerate(lines) if line[0] in {ALL, USED})
    text = [f"{used} of {came} eyes take part; {came - used} left, at the steps and for the reasons below."]
    return Section("Flow of eyes", text, tables=[Table(columns, lines, names=2, strong=strong)])


def part_table(splits: pd.DataFrame, *, parts: bool = True) -> Table:
    """Eyes, patients, classes, diseases, fields of view and, where they are known, age and sex of both parts, or of all
    eyes alone."""
    held_out = splits["held_out"].astype(bool)
    own = {"development": splits[~held_out], "held out": splits[held_out]} if parts else {}
    shown = {**own, "all": splits}
    rows = [("eyes", [str(len(one)) for one in shown.values()])]
    rows.append(("patients", [str(len(set(patients_of(one)))) for one in shown.values()]))
    for column, words in (("label", "class"), ("disease", "disease"), ("field_of_view_mm", "field of view, mm")):
        rows += _counts(shown, column, words)
    if "age" in splits:
        rows.append(("age, years: median [quartiles], n", [_quartiles(one["age"]) for one in shown.values()]))
    for column, words in (("sex", "sex"), ("laterality", "side")):
        rows += _counts(shown, column, words)
    return Table(("", *shown), [[name, *cells] for name, cells in rows], "Eyes of each part" if parts else "")


def _counts(parts: Mapping[str, pd.DataFrame], column: str, words: str) -> list[tuple[str, list[str]]]:
    whole = parts["all"]
    if column not in whole:
        return []
    texts = {name: one[column].astype(object).where(one[column].notna(), "unknown") for name, one in parts.items()}
    values = sorted(set(texts["all"]), key=str)
    rows = []
    for value in values:
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        rows.append((f"{words} {shown}", [str(int((one == value).sum())) for one in texts.values()]))
    return rows


def _quartiles(values: pd.Series) -> str:
    known = pd.to_numeric(values, errors="coerce").dropna()
    if known.empty:
        return "unknown"
    low, middle, high = np.percentile(known, [25, 50, 75])
    return f"{middle:.0f} [{low:.0f}, {high:.0f}], n = {len(known)}"


def common_patients(splits: pd.DataFrame, seen: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count the patients that two parts have in common, which must be 0.

    `seen` is what each network has seen (fold, subject, patient, used_for). Columns: fold, network (empty for the
    parts of a fold), first, second, first_eyes, second_eyes, first_patients, second_patients, common.
    """
    of = dict(zip(splits["subject"].astype(str), patients_of(splits), strict=True))
    folds = sorted({int(k) for name in fold_columns(splits) for k in splits[name] if k > 0})
    tables = {fold: fold_table(splits, fold) for fold in folds}
    rows = []
    for fold, table in tables.items():
        parts = {role: set(table.loc[table["role"] == role, "subject"].astype(str)) for role in ROLES}
        rows += [
            {"fold": fold, "network": "", "first": ROLES[one], "second": ROLES[other]}
            | _compare(parts[one], parts[other], of)
            for one, other in PAIRS
        ]
    for network, own in seen.items():
        fold = int(own["fold"].iloc[0])
        known = dict(zip(own["subject"].astype(str), own["patient"].astype(str), strict=True)) | of
        role = tables[fold].set_index(tables[fold]["subject"].astype(str))["role"]
        judged, held_out = set(role.index[role != "train"]), set(role.index[role == "held_out"])
        learnt = set(own.loc[own["used_for"] != "validation", "subject"].astype(str))
        chose = set(own.loc[own["used_for"] == "validation", "subject"].astype(str))
        about = {"fold": fold, "network": network}
        rows.append(about | {"first": "learnt from", "second": "judged on"} | _compare(learnt, judged, known))
        rows.append(about | {"first": "chose its epoch", "second": "held out"} | _compare(chose, held_out, known))
    return pd.DataFrame(rows)


def _compare(one: set[str], other: set[str], of: Mapping[str, str]) -> dict[str, int]:
    first, second = ({person_of(subject, of) for subject in subjects} for subjects in (one, other))
    return {
        "first_eyes": len(one),
        "second_eyes": len(other),
        "first_patients": len(first),
        "second_patients": len(second),
        "common": len(first & second),
    }


def split_section(splits: pd.DataFrame, common: pd.DataFrame) -> Section:
    """Sizes of the parts, and the count of patients that two of them share."""
    pairs, networks = common[common["network"] == ""], common[common["network"] != ""]
    worst = int(common["common"].max()) if len(common) else 0
    of_parts = [[f"fold {row['fold']}: {row['first']} and {row['second']}", *_sizes(row)] for row in _records(pairs)]
    of_networks = [
        [network_words(str(row["network"])), f"{row['first']} and {row['second']}", *_sizes(row)]
        for row in _records(networks)
    ]
    columns = (
        "eyes of the first",
        "eyes of the second",
        "patients of the first",
        "of the second",
        "patients in common",
    )
    text = [
        f"Largest number of patients in common, over {len(common)} pairs: {worst}."
        + (f" {LEAK[0].upper()}{LEAK[1:]}." if worst else " No patient is in two parts of a fold, and no network was "
           "trained, pre-trained or chosen on a patient by whom it is judged."),
        "Counted here from the table of splits and from what each checkpoint says that it has seen; a patient is a "
        "person with all eyes, and an eye without a named patient is a patient of its own.",
    ]  # fmt: skip
    return Section(
        "Data and splits",
        text,
        tables=[
            part_table(splits),
            Table(("pair of parts", *columns), of_parts, "Parts of each fold"),
            Table(("network", "pair", *columns), of_networks, "What each network has seen", names=2, folded=True),
        ],
    )


def _records(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _sizes(row: Mapping) -> list[str]:
    names = ("first_eyes", "second_eyes", "first_patients", "second_patients", "common")
    return [str(row[name]) for name in names]


def biomarker_section(biomarkers: pd.DataFrame, splits: pd.DataFrame, config: EvaluationConfig) -> Section:
    """Means of the biomarkers that are reported most, by class, with intervals over patients."""
    title = "Biomarkers"
    names = [name for name in SHOWN_BIOMARKERS if name in biomarkers and biomarkers[name].notna().any()]
    if not names:
        why = "no retina was looked for" if biomarkers.empty else "these scans do not resolve them"
        return Section(title, [f"None of the most reported biomarkers could be measured: {why} (column reasons)."])
    eyes = splits.assign(subject=splits["subject"].astype(str), patient=patients_of(splits))
    table = biomarkers.assign(subject=biomarkers["subject"].astype(str))[["subject", *names]]
    joined = eyes[["subject", "patient", "label", "target"]].merge(table, on="subject", how="left")
    classes = list(dict.fromkeys(joined.sort_values("target")["label"].astype(str)))
    lines = []
    for name in names:
        unit = "" if UNITS[name] == "1" else f", {UNITS[name]}"
        cells = [_mean(joined[joined["label"] == label], name, config) for label in classes]
        lines.append([f"{name.replace('_', ' ')}{unit}", *cells])
    text = [
        f"Mean [{100 * config.level:g} % interval, over patients] and number of eyes in which it could be measured, "
        "all eyes together; no correction for the number of rows. How each is defined is in docs/biomarkers.md."
    ]
    return Section(title, text, tables=[Table(("biomarker", *classes), lines)])


def _mean(rows: pd.DataFrame, name: str, config: EvaluationConfig) -> str:
    measured = int(rows[name].notna().sum())
    if not measured:
        return "not measured"
    found = mean_interval(rows[name], rows["patient"], resamples=config.resamples, seed=config.seed, level=config.level)
    value, low, high = (f"{one:.3g}".replace("nan", "n/a") for one in found)
    return f"{value} [{low}, {high}], n = {measured}"
