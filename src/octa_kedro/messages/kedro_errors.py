"""What Kedro says about catalog entries and files of datasets, as one line with the remedy."""

import re

from kedro.io import DatasetError

from octa_kedro.messages.words import first_words, first_words_of

ENTRY = re.compile(r"(?:config for dataset '|Catalog entry '|Dataset ')([^']+)'")
CONSTRUCTING = ("parsing config", "not a valid dataset configuration", "must only contain arguments")
FILE = re.compile(r"filepath=(?:\w+\()?'([^']+)'")
LOADING = "Failed while loading data from dataset"
CREDENTIALS = "Unable to find credentials"
LIBRARY_ERRORS = (OSError, ValueError, EOFError, KeyError)
"""What libraries raise at a file that is damaged, or no file of that kind."""


def kedro_words(error: BaseException | None) -> str | None:
    """One line for an error of Kedro's that a catalog or a file of a dataset is at fault for; None for all others."""
    if isinstance(error, KeyError) and CREDENTIALS in str(error):
        name = str(error).split("'")[1] if "'" in str(error) else "?"
        return f"credentials {name}: a catalog entry names them; write them into conf/local/credentials.yml"
    if not isinstance(error, DatasetError):
        return None
    text, cause = str(error), _innermost(error)
    if LOADING in text:
        if not isinstance(cause, LIBRARY_ERRORS):
            return None  # a fault of this program
        file = match[1] if (match := FILE.search(text)) else text.split(":", maxsplit=1)[0]
        why = first_words(cause)
        return f"{file}: cannot be read ({why}); delete this version and run the pipeline that makes it again"
    if any(sign in text for sign in CONSTRUCTING) and (match := ENTRY.search(text)):
        cleaned = first_words_of(text.split("Hint:", maxsplit=1)[0])
        return f"catalog entry {match[1]}: {cleaned}; correct it in the catalog.yml that sets it (conf/*/catalog.yml)"
    return None


def _innermost(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
