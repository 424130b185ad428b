"""Words of error messages: what a library says, made fit for one line, and which name was probably meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 200
ADVICE = re.compile(
    r"https?://|weights_only|allow_pickle|trust_remote_code|trusted source|arbitrary code|\bupgrad|\bpip install|"
    r"file an issue|report this|\bset(ting)? [`'\"]?[\w.]+[`'\"]? ?(=|to) ?[`'\"]?(true|false|none|ignore)",
    re.IGNORECASE,
)
"""Signs of advice that is of no use to a user of this program, or dangerous."""

OBJECT = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")
SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


def first_words(error: BaseException, longest: int = LONGEST) -> str:
    """What the error of a library says (`first_words_of`); the type of the error, if nothing is left of that."""
    return first_words_of(str(error), longest) or type(error).__name__


def first_words_of(text: str, longest: int = LONGEST) -> str:
    """What a library says, as one line of at most `longest` characters.

    Its advice (links, options that switch off a check, upgrades) and all that follows is left out, and so are
    addresses of objects.
    """
    kept: list[str] = []
    for sentence in SENTENCE.split(OBJECT.sub("an object", text)):
        if ADVICE.search(sentence):
            break
        kept.append(" ".join(sentence.split()))
    words = " ".join(part for part in kept if part).rstrip(" .;:,")
    return words if len(words) <= longest else f"{words[: longest - 3].rstrip()}..."


def nearest(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """``did you mean X?`` if one of the `known` names is near, else `otherwise`, or which names there are."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else otherwise or f"there are {', '.join(names) or 'none'}"
