"""The decorator of every node; the package's docstring says why."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def node_function(function: F) -> F:
    """Keep those annotations of a node that exist when it runs; the others become Any.

    Kedro evaluates a node's annotations to learn which class a parameter is built as, and gives up on all of them if
    one names what is imported under ``if TYPE_CHECKING:``. Type checkers see the function as it is written.
    """
    names = vars(sys.modules[function.__module__])
    function.__annotations__ = {
        argument: _evaluated(annotation, names) for argument, annotation in function.__annotations__.items()
    }
    return function


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    try:
        return eval(annotation, names) if isinstance(annotation, str) else annotation
    except NameError:
        return Any
