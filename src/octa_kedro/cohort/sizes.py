"""Scans whose size is that of another field of view: they may lie in the wrong folder."""

import pandas as pd

SIZE = ["width", "n_bscans"]


def odd_sizes(table: pd.DataFrame) -> list[str]:
    """A warning for every eye that has the lateral size of the eyes of another field of view, not that of its own.

    A field has a size if more than half of its eyes have it; eyes of fields without one are not compared. With a wrong
    field of view all lengths of an eye would be wrong.
    """
    sizes = pd.Series([*zip(*(table[name] for name in SIZE), strict=True)], index=table.index)
    usual = {field: _usual(own) for field, own in sizes.groupby(table["field_of_view_mm"])}
    words = []
    for subject, field, size in zip(table["subject"], table["field_of_view_mm"], sizes, strict=True):
        other = next((f for f, one in usual.items() if f != field and one == size and usual.get(field)), None)
        if other is not None and size != usual[field]:
            words.append(
                f"subject {subject}: {_text(size)}, as the eyes of {other:g} mm have; the others of {field:g} mm have "
                f"{_text(usual[field])}. Does it lie in the wrong folder?"
            )
    return words


def _usual(sizes: pd.Series) -> tuple[float, float] | None:
    counts = sizes.value_counts()
    return counts.index[0] if counts.iloc[0] > len(sizes) / 2 else None


def _text(size: tuple[float, float] | None) -> str:
    assert size is not None
    return f"{size[0]:g} A-scans x {size[1]:g} B-scans"
