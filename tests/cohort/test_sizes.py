"""Scans whose size is that of another field of view."""

import pandas as pd

from octa_kedro.cohort.sizes import odd_sizes


def cohort(*rows: tuple[str, float, int]) -> pd.DataFrame:
    return pd.DataFrame(
        [(subject, field, size, size) for subject, field, size in rows],
        columns=["subject", "field_of_view_mm", "width", "n_bscans"],
    )


REST = [("a", 3, 304), ("b", 3, 304), ("c", 6, 400), ("d", 6, 400)]


def test_an_eye_with_the_size_of_another_field_is_named():
    (words,) = odd_sizes(cohort(*REST, ("x", 3, 400)))
    assert words.startswith("subject x: 400 A-scans x 400 B-scans, as the eyes of 6 mm have; the others of 3 mm have 3")


def test_sizes_that_no_other_field_has_are_nobody_s_mistake():
    assert odd_sizes(cohort(*REST, ("x", 3, 320))) == []


def test_fields_of_one_size_or_without_a_usual_size_are_not_compared():
    assert odd_sizes(cohort(("a", 3, 400), ("b", 6, 400))) == []
    assert odd_sizes(cohort(("a", 3, 304), ("x", 3, 400), ("c", 6, 400), ("d", 6, 400))) == []
