"""Faults of results that do not belong together: other versions, networks and runs, and code of another day."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from octa_kedro.io.seals import Made, digest, read_seal, write_seal
from tests.faults.harness import DATA, MISSION, PROCESS, TRAIN, Fault, nothing, table
from tests.faults.judge import Bench
from tests.faults.making import Change, found, removed
from tests.faults.test_damage import EVALUATE, FOLD, LEARN, PREDICT, PREDICTIONS, SEEN, SPLITS, VOLUMES

GROUP = "damage"
OLD = "2020-01-01T00.00.00.000Z"
CHECKPOINT = "training_3d.fold_1.checkpoint"
OTHER = "0" * 64


def without_seal(path: str) -> Change:
    """A result as versions of this program before 1.0 have left it, or a copy of the file alone."""
    return removed(f"{path}.seal.json")


def made_from(path: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> Change:
    """The seal of a result of another history: `change` gets the hashes of what it was made from, by name."""

    def make(project: Path) -> None:
        file = found(project, path)
        made, facts = read_seal(file)
        write_seal(file, Made(made.sha256, change(made.made_from), made.passes_on), **facts)

    return make


def other_hash(dataset: str) -> Callable[[Mapping[str, str]], dict[str, str]]:
    def change(made: Mapping[str, str]) -> dict[str, str]:
        assert dataset in made
        return {**made, dataset: OTHER}

    return change


def older(path: str, old: str, new: str) -> Change:
    """An earlier version of a table, whole and sealed, with another content."""

    def make(project: Path) -> None:
        now = found(project, path)
        then = now.parents[1] / OLD / now.name
        then.parent.mkdir()
        text = now.read_text()
        assert old in text
        then.write_text(text.replace(old, new, 1))
        made, facts = read_seal(now)
        write_seal(then, Made(digest(then.read_bytes()), made.made_from, made.passes_on), **facts)

    return make


def seal_of_another(project: Path) -> None:
    """The predictions of a training beside the seal of those of another one."""
    file = found(project, PREDICTIONS)
    made, facts = read_seal(file)
    write_seal(file, Made(OTHER, made.made_from, made.passes_on), **facts)


def mixed(name: str, make: Change, says: str, **what) -> Fault:
    return Fault(name, make, says, **{"command": EVALUATE} | what)


# fmt: off
NO_SEAL = [
    mixed(f"{what} without a seal, as earlier versions of this program made them", without_seal(path),
          f"{path.rpartition('/')[2]}: made by an earlier version of this program, or copied without "
          f"{path.rpartition('/')[2]}.seal.json; copy its whole folder, or delete that and run the pipeline that makes",
          command=command, quick=quick)
    for what, path, command, quick in (
        ("predictions", PREDICTIONS, EVALUATE, True),
        ("splits", SPLITS, EVALUATE, False),
        ("manifests", VOLUMES, LEARN, False),
    )
]
TOGETHER = [
    mixed("predictions are beside the seal of others", seal_of_another,
          "predictions.csv: its content has changed since it was written (edited, cut short or swapped); restore it"),
    mixed("predictions are of another checkpoint than the table of what was seen",
          made_from(PREDICTIONS, other_hash(CHECKPOINT)),
          "was made from training_3d.fold_1.checkpoint ... they do not belong together; run the pipelines that make",
          quick=True),
    mixed("predictions are of other volumes than those that there are",
          made_from(PREDICTIONS, other_hash("processed_volumes")),
          "was made from processed_volumes ... they do not belong together; run the pipelines that make"),
    mixed("a fold is of other splits than those that are evaluated", made_from(SEEN, other_hash("splits_fold_1")),
          "was made from splits_fold_1 ... they do not belong together; run the pipelines that make"),
    mixed("--load-versions gives an evaluation other splits than its networks had", older(SPLITS, "OD", "OS"),
          "was made from splits ... (version " + OLD + ") ... they do not belong together; run the pipelines",
          command=f"{EVALUATE} --load-versions splits:{OLD}", again=MISSION),
    mixed("--load-versions gives a prediction another fold than its network had", older(FOLD, "OD", "OS"),
          "was made from splits_fold_1 ... (version " + OLD + ") ... they do not belong together",
          command=f"{PREDICT} --load-versions splits_fold_1:{OLD}", again=MISSION),
    mixed("code is edited during a run", nothing, "surface_search.py: was edited while this run goes on; start the run",
          command=PROCESS, begin="nifti_fresh", leaves="data/",
          inside=[("code_edited", {"module": "preprocessing/surface_search.py"})]),
    mixed("code is edited during a training", nothing, "was edited while this run goes on; start the run again",
          command=TRAIN, begin="nifti_fresh", leaves="data/",
          inside=[("code_edited", {"module": "training/classifier.py"})]),
]
AT_ONCE = [
    mixed("another run is at work on the volumes that a training would read", nothing,
          "processed_volumes: another run ( ... is at work on what this one would read ... wait until it has ended",
          command=LEARN, quick=True, leaves=r"/\.runs/",
          inside=[("beside", {"writes": f"{DATA}/05_model_input/processed_volumes/manifest.json"})]),
    mixed("another run is at work on another cohort", nothing, command=PROCESS, ends="harmless", says="",
          inside=[("beside", {"writes": "data/other/05_model_input/splits.csv"})]),
]
# fmt: on
FAULTS = [*NO_SEAL, *TOGETHER, *AT_ONCE]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_mixed(bench: Bench, fault: Fault):
    bench.judge(fault)
