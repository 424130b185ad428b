"""The shift between two cohorts, against numbers that can be worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.external.shift import QUALITY, Eyes, Variable, compared_variables, shift_table, standardised_difference
from octa_kedro.external.shift_figure import shift_figure
from octa_kedro.report.second_cohort import shift_words
from octa_kedro.results.stored import Stored


def numbers(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_the_standardised_difference_of_numbers():
    # means 2 and 4, variances 1 and 4: 2 / sqrt(2.5)
    value, error = standardised_difference(numbers(1, 2, 3), numbers(2, 4, 6))
    assert value == pytest.approx(2 / math.sqrt(2.5))
    assert error == pytest.approx(math.sqrt(2 / 3 + value**2 / 12))


def test_the_standardised_difference_of_shares():
    # .25 and .75, both with p (1 - p) = .1875
    value, _ = standardised_difference(numbers(0, 0, 0, 1), numbers(0, 1, 1, 1), share=True)
    assert value == pytest.approx(0.5 / math.sqrt(0.1875))


def test_constants_differ_without_a_number():
    assert standardised_difference(numbers(3, 3), numbers(3, 3))[0] == 0
    assert math.isnan(standardised_difference(numbers(3, 3), numbers(6, 6))[0])


def test_the_table_has_distances_counts_and_reasons():
    variables = [
        Variable(QUALITY, "signal", numbers(1, 2, 3, math.nan), numbers(2, 3, 4)),
        Variable(QUALITY, "age", numbers(1, 2), numbers(math.nan)),
        Variable(QUALITY, "spacing", numbers(1, 1), numbers(2, 2)),
    ]
    rows = shift_table(variables, 0.95).set_index("variable")
    signal = rows.loc["signal"]
    assert (signal["n_development"], signal["n_second"]) == (3, 3)
    assert signal["ks"] == pytest.approx(1 / 3)
    assert signal["wasserstein"] == pytest.approx(1)
    low, high = signal["standardised_difference_low"], signal["standardised_difference_high"]
    assert (low + high) / 2 == pytest.approx(signal["standardised_difference"])
    assert rows.loc["age", "reason"] == "not known of any eye of the second cohort"
    assert math.isnan(rows.loc["spacing", "standardised_difference"])
    assert "constant, but another constant: spacing" in shift_words(rows.reset_index())


def cohort(signal: float, sexes: str, *, ages: bool = True) -> Eyes:
    n = len(sexes)
    subjects = [f"{signal}_{k}" for k in range(n)]
    splits = pd.DataFrame({"subject": subjects, "label": ["A", "B"] * (n // 2), "disease": ["A", "B"] * (n // 2)})
    splits = splits.assign(field_of_view_mm=3.0, sex=[*sexes], **({"age": 50.0} if ages else {}))
    quality = pd.DataFrame({"subject": subjects, "signal_db": signal + np.arange(n)})

    facts = {"looks": {"grey levels": [0.1, 0.5]}, "native": {"spacing_x_mm": 0.01 * signal}}
    image = Stored(Path("x"), "", facts)
    return Eyes(splits, quality, dict.fromkeys(subjects, image), {})


def test_every_kind_of_variable_is_compared():
    variables = compared_variables(cohort(10, "FFMM"), cohort(20, "FFFM", ages=False))
    table = shift_table(variables, 0.95).set_index("variable")
    assert table.loc["sex M", ["development", "second"]].tolist() == [0.5, 0.25]
    assert table.loc["signal, dB", "second"] == 21.5
    assert table.loc["volume, mean grey level", "development"] == pytest.approx(0.3)
    assert table.loc["age, years", "reason"].startswith("not known of any eye of the second")
    assert table.loc["spacing x, mm", "reason"].startswith("neither cohort varies")
    assert "signal, dB +7.7" in shift_words(table.reset_index())
    figure = shift_figure(variables, table.reset_index(), 0.95)
    assert len(figure.get_axes()) == 5


def test_numbers_that_differ_in_their_last_digits_have_no_spread():
    noisy = numbers(0.0078125, math.nextafter(0.0078125, 1))
    row = shift_table([Variable(QUALITY, "spacing", noisy, numbers(0, 0))], 0.95).iloc[0]
    assert row[["development_sd", "second_sd"]].tolist() == [0, 0]
