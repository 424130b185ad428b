"""The study of a search on a disk without space."""

import resource
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from octa_kedro.errors import DataError
from octa_kedro.results.code import Code
from octa_kedro.tuning.study import StudyFile
from octa_kedro.tuning.trials import end_trial, finished


def study_of(path: Path, trials: int, *, largest: int | None = None) -> int:
    """Add trials to a study, whose file may become no larger than some bytes from the second on; how many it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    distributions = {"x": optuna.distributions.FloatDistribution(0, 1)}
    with StudyFile(path, "training_3d").open("search", "maximise", {}, Code({}, {})) as study:
        try:
            for _ in range(trials):
                end_trial(study.ask(distributions), TrialState.COMPLETE, 1.0)
                if largest is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
            return len(finished(study))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_trial_that_cannot_be_stored_is_one_line_and_the_search_goes_on_from_there(tmp_path: Path):
    path = tmp_path / "study.db"
    with pytest.raises(DataError, match=r"study\.db: cannot be used now \(.*\); free space.*what it holds is kept"):
        study_of(path, 2, largest=4096)
    assert study_of(path, 1) == 2
