"""What every step reads from the tables of a cohort, by their columns."""

import pandas as pd

from octa_kedro.errors import ConfigError

LEARNT_COPY = "learnt_from_copy"
"""Column of predictions: the eye whose image, nearly that of the row's eye, a network has learnt from."""


def patients_of(table: pd.DataFrame) -> list[str]:
    """Whose eye each row is: its `patient`, or the subject where the table does not say."""
    subjects = table["subject"].astype(str)
    if "patient" not in table.columns:
        return subjects.tolist()
    named = table["patient"].notna() & (table["patient"].astype(str).str.strip() != "")
    return table["patient"].astype(str).str.strip().where(named, subjects).tolist()


def class_names(table: pd.DataFrame) -> tuple[str, ...]:
    """Class names in the order of their index, from the columns label and target."""
    pairs = table[["target", "label"]].drop_duplicates().sort_values("target")
    if list(pairs["target"]) != list(range(len(pairs))):
        raise ConfigError(f"classes {dict(zip(pairs['label'], pairs['target'], strict=True))}: a class has no subject")
    return tuple(pairs["label"].astype(str))


def subjects_of(table: pd.DataFrame, role: str) -> list[str]:
    """Subjects of a fold table that have `role`, in the table's order."""
    return table.loc[table["role"] == role, "subject"].astype(str).tolist()
