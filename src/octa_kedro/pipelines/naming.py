"""Keyword names by which nodes with many inputs know what each of them is."""

FOLD_MARK = "__fold_"


def keyword(model: str, fold: int) -> str:
    """The keyword of one model's fold."""
    return f"{model}{FOLD_MARK}{fold}"


def model_of(keyword_name: str) -> str:
    """The model a keyword belongs to."""
    return keyword_name.split(FOLD_MARK, maxsplit=1)[0]
