"""Floors: what plain models score on features so plain that a network has to beat them."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from octa_kedro.cohort.splits import fold_columns
from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import FloatArray
from octa_kedro.evaluation.predictions import CLASS_MARK, HELD_OUT, OUT_OF_FOLD, require_columns

Fit = Callable[[npt.NDArray[np.bool_]], ClassifierMixin]


def depth_profile_floor(profiles: Mapping[str, npt.ArrayLike], splits: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions of a linear model on mean depth profiles, as model "floor_depth_profile".

    profiles: subject -> (Z,), the mean over x and y of the processed volume at each depth. A profile holds
    nothing of the vessels' shape, so what it scores is owed to brightness and layer position alone.
    """
    return linear_floor(profiles, splits, "floor_depth_profile")


def linear_floor(features: Mapping[str, npt.ArrayLike], splits: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a predictions table of one logistic regression per fold on subject -> (F,) features.

    splits: one row per subject with subject, target (class index), held_out (bool), fold (>= 1: the fold that
    validates the subject; 0: always training, or held out) and a column of further folds per repeat;
    `disease`, `patient` and `eye` are passed on where present. More than two classes are told apart by one
    multinomial regression, and need `label`, the name of each.
    Scaler and regression (C = 1, balanced classes) are fitted on the development subjects outside of the
    fold, and predict the fold's subjects (out_of_fold) and the held-out subjects (held_out).

    Raises DataError for a subject without features or listed twice, features that are not finite or differ
    in length, a `held_out` that is not boolean, no fold, and a fold whose training subjects lack a class.
    """
    rows = _checked_splits(splits)
    matrix = pd.DataFrame(_feature_matrix(features, list(rows["subject"])))
    target = rows["target"].to_numpy(dtype=np.int64)
    return _every_fold(rows, matrix, name, lambda training: _linear(matrix).fit(matrix[training], target[training]))


def table_floor(features: pd.DataFrame, splits: pd.DataFrame, name: str) -> pd.DataFrame:
    """As `linear_floor`, on a table with one row per subject (its index) that may have gaps and words.

    A gap in a number is filled by the median of the fold's training subjects, and a column of its own says where it
    was; words become one column each, as far as training subjects have them. A subject without a row has gaps alone.
    """
    if not features.index.is_unique:
        raise DataError(f"subject '{features.index[features.index.duplicated()][0]}' has two rows of features")
    rows = _checked_splits(splits)
    matrix = features.reindex(rows["subject"].tolist()).reset_index(drop=True)
    numbers = matrix.select_dtypes("number")
    infinite = numbers.columns[np.isinf(numbers.to_numpy(dtype=float)).any(axis=0)]
    if len(infinite):
        raise DataError(f"the feature {infinite[0]} of '{name}' is infinite in some eye")
    words = matrix.columns.difference(numbers.columns, sort=False)
    matrix[words] = matrix[words].astype(object).where(matrix[words].notna(), "").astype(str)
    target = rows["target"].to_numpy(dtype=np.int64)
    return _every_fold(rows, matrix, name, lambda training: _linear(matrix).fit(matrix[training], target[training]))


def majority_floor(splits: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions of "floor_majority", which sees nothing: the share of each class, for every eye alike.

    The shares are those of all development subjects. Shares of the training subjects of each fold would be lower the
    more of a class lie in the fold itself, and so would put its eyes in the wrong order (AUROC below .5).
    """
    rows = _checked_splits(splits)
    target = rows["target"].to_numpy(dtype=np.int64)
    nothing = pd.DataFrame({"nothing": np.zeros(len(rows))})
    development = ~rows["held_out"].to_numpy(dtype=bool)
    model = DummyClassifier(strategy="prior").fit(nothing[development], target[development])
    return _every_fold(rows, nothing, "floor_majority", lambda _: model)


def _every_fold(rows: pd.DataFrame, matrix: pd.DataFrame, name: str, fit: Fit) -> pd.DataFrame:
    """The predictions of the model that `fit` gives for the training subjects (a mask over `rows`) of each fold."""
    target = rows["target"].to_numpy(dtype=np.int64)
    held_out = rows["held_out"].to_numpy(dtype=bool)
    names = list(rows.sort_values("target")["label"].unique()) if target.max() > 1 else ["", ""]
    tables = []
    for column in fold_columns(rows):
        folds = rows[column].to_numpy(dtype=np.int64)
        for fold in np.unique(folds[~held_out & (folds > 0)]):
            training = ~held_out & (folds != fold)
            if np.unique(target[training]).size < len(names):
                raise DataError(f"the training subjects of fold {fold} lack a class; '{name}' cannot be fitted")
            model = fit(training)
            for part, chosen in ((OUT_OF_FOLD, ~held_out & (folds == fold)), (HELD_OUT, held_out)):
                if chosen.any():
                    predicted = _predict(model, matrix[chosen], rows[chosen], names)
                    tables.append(predicted.assign(part=part, fold=int(fold)))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "model", name)
    return table


def _linear(matrix: pd.DataFrame) -> ClassifierMixin:
    """A logistic regression on scaled numbers without gaps and on words."""
    numbers = list(matrix.select_dtypes("number").columns)
    words = [column for column in matrix.columns if column not in set(numbers)]
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    plain = make_column_transformer(
        (make_pipeline(filled, StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    )
    return make_pipeline(plain, LogisticRegression(C=1.0, class_weight="balanced", max_iter=10_000))


def _predict(model: ClassifierMixin, matrix: pd.DataFrame, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    passed_on = [column for column in ("patient", "eye", "disease") if column in rows]
    shares = model.predict_proba(matrix)
    each = {f"{CLASS_MARK}{name}": shares[:, index] for index, name in enumerate(names) if len(names) > 2}
    return rows[["subject", *passed_on, "target"]].assign(probability=shares[:, 1:].sum(axis=1).clip(0, 1), **each)


def _checked_splits(splits: pd.DataFrame) -> pd.DataFrame:
    require_columns(splits, ("subject", "target", "held_out", "fold"), "splits")
    # A CSV file gives numeric subject names back as numbers; features are keyed by text.
    rows = splits.assign(subject=splits["subject"].astype(str)).reset_index(drop=True)
    repeated = rows.loc[rows["subject"].duplicated(), "subject"]
    if len(repeated):
        raise DataError(f"subject '{repeated.iloc[0]}' is listed more than once in the splits table")
    if not pd.api.types.is_bool_dtype(rows["held_out"]):
        raise DataError(f"held_out of the splits table is {rows['held_out'].dtype}, not boolean")
    if "label" not in rows and not rows["target"].isin([0, 1]).all():
        raise DataError(
            "a target of the splits table is not 0 or 1, and there is no column 'label' to name more classes"
        )
    if set(rows["target"]) != set(range(max(2, int(rows["target"].max()) + 1))) and "label" in rows:
        raise DataError("the targets of the splits table are not 0, 1, ...: a class has no subject")
    if not ((rows["fold"] >= 1) & ~rows["held_out"]).any():
        raise DataError("no development subject of the splits table has a fold of 1 or more")
    return rows


def _feature_matrix(features: Mapping[str, npt.ArrayLike], subjects: list[str]) -> FloatArray:
    """Return the features as (subjects, F)."""
    vectors: list[FloatArray] = []
    for subject in subjects:
        if subject not in features:
            raise DataError(f"subject '{subject}' of the splits table has no features")
        vector = np.asarray(features[subject], dtype=np.float64)
        expected = vectors[0].shape if vectors else (vector.size,)
        if vector.shape != expected:
            raise DataError(f"features of subject '{subject}' have shape {vector.shape}, not {expected}")
        if not np.isfinite(vector).all():
            raise DataError(f"features of subject '{subject}' are not finite")
        vectors.append(vector)
    return np.stack(vectors)
