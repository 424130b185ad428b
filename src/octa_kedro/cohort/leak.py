"""The leak guard: what is judged on a person's eyes must not have learnt from that person."""

from collections.abc import Iterable, Mapping

from octa_kedro.errors import LeakError
from octa_kedro.identifiers import name_key


def person_of(subject: str, patients: Mapping[str, str]) -> str:
    """Whose eye a subject is, as people are compared (`name_key`): P07 and p07 of two tables are one person."""
    return name_key(patients.get(subject, subject))


def require_disjoint(
    judged: Iterable[str],
    learnt: Iterable[str],
    *,
    judge: str,
    learner: str,
    patients: Mapping[str, str] | None = None,
) -> None:
    """LeakError if a subject that `judge` is scored on, or another eye of its patient, is among those `learner`
    learnt from. `patients` maps subjects to patients; a subject it does not name is a patient of its own
    (`person_of`)."""
    of = dict(patients or {})
    seen = {person_of(subject, of) for subject in learnt}
    shared = sorted(subject for subject in set(judged) if person_of(subject, of) in seen)
    if shared:
        raise LeakError(
            f"{judge}: {len(shared)} subject{'s' * (len(shared) > 1)} ({', '.join(shared[:5])}"
            f"{', ...' if len(shared) > 5 else ''}){_same_person(shared, of)} were seen by {learner}; use a checkpoint "
            "that was made with these splits, or run its pipeline again"
        )


def _same_person(shared: list[str], patients: Mapping[str, str]) -> str:
    """Names the patient where the seen image may be one of the other eye."""
    named = [f"{patients[s]}" for s in shared[:5] if patients.get(s, s) != s]
    return f" or the other eye of their patient ({', '.join(dict.fromkeys(named))})" if named else ""
