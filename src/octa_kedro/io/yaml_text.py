"""YAML files of people, before anything is built of them: a few lines can name billions of values. No heavy imports."""

from itertools import accumulate
from pathlib import Path

import yaml
from yaml.error import MarkedYAMLError
from yaml.nodes import CollectionNode, MappingNode, Node

from octa_kedro.errors import ConfigError, causes
from octa_kedro.io.boundary import require_bytes
from octa_kedro.messages.words import first_words, first_words_of

MOST_BYTES = 4 << 20
MOST_DEPTH = 1000
MOST_VALUES = 1_000_000
"""A list of the files of every eye that there is has fewer."""
TAB = "'\\t'"
OPENED = {
    "while parsing a flow sequence": "the bracket [",
    "while parsing a flow mapping": "the bracket {",
    "while scanning a quoted scalar": "the quotation mark",
}
"""What YAML was reading inside of something that has to be closed."""


def require_modest_yaml(path: Path) -> None:
    """OctaError for a YAML file that is no regular file or too large, is nested too deeply to be read, or whose aliases
    (``*name``) repeat so much that they stand for more than `MOST_VALUES` values. Faults of the syntax are left to the
    reader."""
    require_bytes(path, MOST_BYTES, "a file of parameters or of paths")
    data = path.read_bytes()
    if not (b"&" in data and b"*" in data) and data.count(b"[") + data.count(b"{") < 50 and b"- - - - " not in data:
        return  # neither aliases nor depth: most files need no second reading
    try:
        if _depth(data) > MOST_DEPTH:  # which takes YAML itself minutes to find out
            raise RecursionError
        values = _values(yaml.compose(data, yaml.SafeLoader), {})
    except (yaml.YAMLError, ValueError):
        return
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply, or names itself by an alias; write it flat") from None
    if values > MOST_VALUES:
        raise ConfigError(f"{path}: its aliases (*name) stand for {values:.3g} values; write out what is needed")


def yaml_words(error: BaseException) -> str:
    """What is wrong with a YAML file, with the number of the line, from an error that its reading has led to."""
    if (fault := next((one for one in reversed([*causes(error)]) if isinstance(one, MarkedYAMLError)), None)) is None:
        return first_words(error)
    begin, end, problem = fault.context_mark, fault.problem_mark, str(fault.problem)
    if TAB in problem and end is not None:
        return f"line {end.line + 1}: begins with a tab; indent by spaces"
    if (what := OPENED.get(str(fault.context))) is not None and begin is not None:
        return f"line {begin.line + 1}: {what} that is opened there is not closed, or what is in it is no YAML"
    place = f"line {end.line + 1}: " if end is not None else ""
    return f"{place}{first_words_of(problem)}"


def _depth(data: bytes) -> int:
    """How deeply brackets are nested, at most: those within quotes and comments count, too."""
    return max(accumulate((1 if one in b"[{" else -1 for one in data if one in b"[]{}"), initial=0))


def _values(node: Node | None, known: dict[int, int]) -> int:
    """The number of values below a node, when every alias is written out."""
    if not isinstance(node, CollectionNode):
        return 1
    if id(node) not in known:
        below = [one for pair in node.value for one in pair] if isinstance(node, MappingNode) else node.value
        known[id(node)] = 1 + sum(_values(one, known) for one in below)
    return known[id(node)]
