"""Whether an eye looks like those that the networks were trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from octa_kedro.inference.networks import Network
from octa_kedro.preprocessing.appearance import NATIVE
from octa_kedro.preprocessing.processed_as import QUALITY
from octa_kedro.training.familiar import Familiar

KNOWN, STRANGE, UNKNOWN = "yes", "no", "unknown"
NOT_RECORDED = "a checkpoint does not say what its training eyes looked like; train again to know"


@dataclass(frozen=True)
class Familiarity:
    """Whether an eye looks familiar (`KNOWN`, `STRANGE` or `UNKNOWN`), and in what it does not, the strangest first."""

    answer: str
    reasons: tuple[str, ...] = ()


def judge_familiarity(facts: Mapping[str, Any], networks: Sequence[Network]) -> Familiarity:
    """The eye whose stored image has these `facts` beside what the networks' training eyes looked like.

    A curve or measure is strange if the median of its strangeness over the networks is above 1: those of one model
    learnt from much the same eyes, and one of them alone raises no alarm.
    """
    known = [network.card.familiar for network in networks if network.card.familiar is not None]
    if len(known) < len(networks):
        return Familiarity(UNKNOWN, (NOT_RECORDED,))
    each = [one.strangeness(facts) for one in known]
    shared = [name for name in each[0] if all(name in one for one in each)]
    middle = {name: median(one[name] for one in each) for name in shared}
    strange = sorted((name for name, value in middle.items() if value > 1), key=lambda name: -middle[name])
    reasons = [_words(name, middle[name], facts, known) for name in strange]
    return Familiarity(STRANGE if reasons else KNOWN, tuple(reasons))


def _words(name: str, strangeness: float, facts: Mapping[str, Any], known: Sequence[Familiar]) -> str:
    """Such as "depth profile 3.1 times as far from the training eyes as is usual"."""
    if name in known[0].curves:
        return f"{name} {strangeness:.3g} times as far from the training eyes as is usual"
    value = {**facts.get(NATIVE, {}), **facts.get(QUALITY, {})}[name]
    low, high = min(one.spans[name].low for one in known), max(one.spans[name].high for one in known)
    return f"{name} {value:.3g}, training eyes {low:.3g} to {high:.3g}"
