"""The flow of eyes: how many came in, how many left, at which step and why.

A flow is a table with one row per eye and the columns subject, disease, label (class, empty for none),
field_of_view_mm (NaN where unknown), left_at (a step, or empty for an eye that takes part) and reason.
"""

from collections.abc import Container, Mapping

import pandas as pd

from octa_kedro.errors import DataError

STEPS = ("label sheet", "class", "exclusion list", "files", "quality", "processing", "prediction")
"""The steps at which an eye can leave, in their order."""

ALL, USED = "all eyes", "take part"
NOTHING_MADE = "nothing was made of it, and no reason is known"


def start_flow(eyes: pd.DataFrame) -> pd.DataFrame:
    """The flow in which every eye of `eyes` (columns subject, disease, label, field_of_view_mm) takes part."""
    columns = ["subject", "disease", "label", "field_of_view_mm"]
    return eyes[columns].assign(subject=eyes["subject"].astype(str), left_at="", reason="").reset_index(drop=True)


def leave(flow: pd.DataFrame, step: str, reasons: Mapping[str, str]) -> pd.DataFrame:
    """The flow after the eyes named by `reasons` (subject -> why) have left at `step`.

    An eye that had left before keeps its first reason. DataError for an unknown step or eye.
    """
    if step not in STEPS:
        raise DataError(f"flow of eyes: no step {step!r}; choose from {', '.join(STEPS)}")
    rows = read_flow(flow)
    if unknown := sorted(set(reasons) - set(rows["subject"])):
        raise DataError(f"flow of eyes, step {step}: subject {', '.join(unknown[:5])} is not among those that came in")
    leaving = rows["subject"].isin(list(reasons)) & (rows["left_at"] == "")
    why = rows["subject"].map(dict(reasons))
    return rows.assign(
        left_at=rows["left_at"].mask(leaving, step),
        reason=rows["reason"].mask(leaving, why),
    )


def leave_unless(flow: pd.DataFrame, made: Container[str], step: str, reasons: Mapping[str, str]) -> pd.DataFrame:
    """The flow after all eyes that still take part but are not in `made` have left at `step`, for their `reasons`.

    One that nothing is known of leaves, too: no eye is lost without a word.
    """
    rows = read_flow(flow)
    here = rows.loc[rows["left_at"] == "", "subject"]
    return leave(rows, step, {s: reasons.get(s, NOTHING_MADE) for s in here if s not in made})


def flow_table(flow: pd.DataFrame) -> pd.DataFrame:
    """How many eyes came in, left by step and reason, and take part, in all and per class and field of view.

    Columns: step (``all eyes``, a step of STEPS, or ``take part``), reason, eyes, and one per class and field
    of view, such as ``NORMAL, 3 mm``. The rows between the first and the last count eyes that left, so first =
    sum of the others.
    """
    rows = read_flow(flow)
    groups = [_group(label, field) for label, field in zip(rows["label"], rows["field_of_view_mm"], strict=True)]
    rows = rows.assign(group=groups)
    names = sorted(set(groups), key=lambda name: (name.startswith("no class"), name))
    counted = [_count(ALL, "", rows, names)]
    for step in STEPS:
        left = rows[rows["left_at"] == step]
        counted += [_count(step, str(reason), part, names) for reason, part in left.groupby("reason", sort=True)]
    counted.append(_count(USED, "", rows[rows["left_at"] == ""], names))
    return pd.DataFrame(counted)


def flow_text(table: pd.DataFrame) -> str:
    """A flow table as aligned text under one line that says how many take part."""
    total, used = int(table["eyes"].iloc[0]), int(table["eyes"].iloc[-1])
    body = table.to_string(index=False, justify="left")
    return f"{used} of {total} eyes take part, {total - used} left:\n{body}\n"


def read_flow(flow: pd.DataFrame) -> pd.DataFrame:
    """A flow as it was before a CSV file turned its empty cells into NaN and its subjects into numbers."""
    texts = {name: flow[name].astype(object).where(flow[name].notna(), "") for name in ("label", "left_at", "reason")}
    return flow.assign(subject=flow["subject"].astype(str), **texts).reset_index(drop=True)


def _group(label: str, field_mm: float) -> str:
    field = "field unknown" if pd.isna(field_mm) else f"{field_mm:g} mm"
    return f"{label or 'no class'}, {field}"


def _count(step: str, reason: str, rows: pd.DataFrame, names: list[str]) -> dict[str, object]:
    counts = rows["group"].value_counts()
    return {"step": step, "reason": reason, "eyes": len(rows)} | {name: int(counts.get(name, 0)) for name in names}
