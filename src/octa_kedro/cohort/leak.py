"""The leak guard: what is judged on a subject must not have learnt from it."""

from collections.abc import Iterable

from octa_kedro.errors import LeakError


def require_disjoint(judged: Iterable[str], learnt: Iterable[str], *, judge: str, learner: str) -> None:
    """LeakError if a subject that `judge` is scored on was among those `learner` learnt from."""
    shared = sorted(set(judged) & set(learnt))
    if shared:
        raise LeakError(
            f"{judge}: {len(shared)} subject{'s' * (len(shared) > 1)} ({', '.join(shared[:5])}"
            f"{', ...' if len(shared) > 5 else ''}) were seen by {learner}; use a checkpoint that was made with "
            "these splits, or run its pipeline again"
        )
