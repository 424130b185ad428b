"""The study of a hyper-parameter search: an SQLite file that a killed search resumes from, one process at a time."""

import fcntl
import json
import logging
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage

from octa_kedro.errors import ConfigError, DataError, OctaError, causes
from octa_kedro.io.boundary import reading
from octa_kedro.results.changes import code_changes
from octa_kedro.results.code import Code
from octa_kedro.training.engine.seeding import derive_seed
from octa_kedro.tuning.config import TuningConfig
from octa_kedro.tuning.trials import START_OVER, require_sealed_trials

SETTINGS, CODE = "settings", "code"  # attributes of a study
PASSING = {
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN),
}
"""SQLite's errors of the machine, not of the file."""
OTHER_SCHEMA = "no longer compatible with the table schema"  # Optuna's words on a file of another of its versions
SHOWN = 3
LONGEST = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyFile:
    """The place of a model's searches; each has a name of its own in the file."""

    path: Path
    model: str

    @contextmanager
    def open(self, name: str, goal: str, settings: Mapping[str, Any], code: Code) -> Iterator[optuna.Study]:
        """The study of that name, new or to be continued.

        ConfigError if it was made with other `settings`, a warning if by other `code`; OctaError while another
        process has the file open; DataError if the file is not one of Optuna's, or a trial has been edited.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        verbosity = optuna.logging.get_verbosity()
        with self._locked():
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._require_whole()
            storage = self._storage()
            try:
                direction = {"maximise": "maximize", "minimise": "minimize"}[goal]
                with sqlite_reading(self.path):
                    study = optuna.create_study(
                        storage=storage, study_name=name, direction=direction, load_if_exists=True
                    )
                    self._require_same(study, json.loads(json.dumps(settings)), code)
                    require_sealed_trials(self.path, study)  # all are read: what is damaged in one is found now
                with sqlite_at_hand(self.path):
                    yield study
            finally:
                storage.remove_session()
                storage.engine.dispose()
                optuna.logging.set_verbosity(verbosity)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                other = self.path.with_suffix(".lock").read_text(encoding="utf-8")
                raise OctaError(
                    f"{self.path}: another process ({other}) is searching here; wait for it or stop it"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _require_whole(self) -> None:
        """DataError if SQLite finds the file damaged: what it reads of such a file may be wrong."""
        if not self.path.is_file():
            return
        with sqlite_reading(self.path), closing(sqlite3.connect(self.path)) as connection:
            ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise DataError(f"{self.path}: damaged ({' '.join(found.split())}); {START_OVER}")

    def _storage(self) -> RDBStorage:
        with sqlite_reading(self.path):
            try:
                return RDBStorage(f"sqlite:///{self.path}")
            except RuntimeError as error:
                if OTHER_SCHEMA not in str(error):
                    raise
                made_by = re.search(r"set up by optuna ([\w.]+)", str(error))
                raise DataError(
                    f"{self.path}: written by another version of Optuna ({made_by[1] if made_by else 'unknown'}; here "
                    f"is {optuna.__version__}); install that version to go on with it, or move the file to start over"
                ) from error

    def _require_same(self, study: optuna.Study, settings: dict[str, Any], code: Code) -> None:
        """Store the settings of a new study, or compare those of an old one with them."""
        if SETTINGS not in study.user_attrs and not study.get_trials(deepcopy=False):
            study.set_user_attr(CODE, code.to_json())
            study.set_user_attr(SETTINGS, settings)
        if differing := differences(study.user_attrs.get(SETTINGS, {}), settings):
            more = f", and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
            raise ConfigError(
                f"{self.path}: the search {study.study_name!r} was made with other settings: "
                f"{'; '.join(differing[:SHOWN])}{more}; give another tuning.name, or delete the file to start over"
            )
        known = study.user_attrs[CODE]
        if changed := code_changes(known, code) if isinstance(known, dict) else "all of the code":
            log.warning(
                "%s: changed since the search %r began: %s; its trials may not be comparable, so give another "
                "tuning.name to start over",
                self.path,
                study.study_name,
                changed,
            )


@contextmanager
def sqlite_reading(path: Path) -> Iterator[None]:
    """Put around what reads the study at `path`: a DataError says that it is damaged, or that SQLite cannot get at it
    now, as on a full disk or without permission. Then it must not be deleted."""
    with reading(path, START_OVER), sqlite_at_hand(path):
        yield


@contextmanager
def sqlite_at_hand(path: Path) -> Iterator[None]:
    """Put around what uses the study at `path`: a DataError says that SQLite cannot read or write it now. All other
    errors stay what they are."""
    try:
        yield
    except Exception as error:
        found = [one for one in causes(error) if getattr(one, "sqlite_errorcode", 0) & 0xFF in PASSING]
        if not found:
            raise
        told = " ".join(str(found[0]).splitlines()[:1])
        raise DataError(
            f"{path}: cannot be used now ({told}); free space, or allow it to be read and written, and run again: what "
            "it holds is kept"
        ) from error


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested mappings, key by key, as text."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found += differences(was, now, f"{prefix}{key}.")
        elif was != now:
            found.append(f"{prefix}{key} was {_short(was)} and is {_short(now)}")
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def make_sampler(config: TuningConfig, trial: int) -> BaseSampler:
    """What draws the parameters of the `trial`-th trial, from a random stream of its own.

    So a search draws the same after an interruption: what has been drawn before depends on the trials alone.
    """
    seed = derive_seed(config.seed, "tuning", trial)
    if config.sampler == "random":
        return RandomSampler(seed=seed)
    return TPESampler(seed=seed, n_startup_trials=config.startup_trials)


def make_pruner(config: TuningConfig) -> BasePruner:
    """Decides after each fold whether a trial is pruned."""
    return MedianPruner(n_startup_trials=config.startup_trials) if config.pruner == "median" else NopPruner()
