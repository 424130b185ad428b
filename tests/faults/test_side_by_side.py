"""Several runs in one project at the same time: each ends as if it were alone, or is refused by one line."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import DATA, MISSION, TRAIN, Ended, Server, Within, by_version, restore, results
from tests.faults.judge import NEVER
from tests.faults.projects import nifti_project
from tests.kills.fork_server import processor_seconds

PROCESSING = "run --env nifti_folder --pipelines data_processing"
OTHER = f"{PROCESSING} --params processing.intensity.lower=20"
TRAINING = "run --env nifti_folder --pipelines training_3d"
INFERENCE = "run --env nifti_folder --pipelines inference"
TUNING = "run --env nifti_folder --pipelines tuning --params tuning.trials=2,tuning.startup_trials=1"
AN_EYE = "octa_kedro.preprocessing.eye:process_volume"
A_STATE = "octa_kedro.training.state.state_file:_write"
A_FILE = "octa_kedro.io.files:flush"
A_TRIAL = "octa_kedro.tuning.search:_train_fold"
FAR = "2999-05-05T12.00.00.000Z"


class Side:
    """Runs of one project, each known by a name; the first one waits at some point until it is told to go on."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.project, self.server = folder / "project", server
        self.fresh, self.made = folder / "fresh", folder / "made"  # before and after one undisturbed mission
        self.running: dict[str, int] = {}

    def begin(self, state: Path) -> None:
        """Make the project what it is in that state."""
        restore(self.project, state)

    def waiting(self, name: str, command: str, function: str, *within: Within, call: int = 1) -> None:
        """Begin a run, and wait until it waits at the n-th call of `function`."""
        for sign in ("waits", "goes"):
            self.project.with_name(f"{name}.{sign}").unlink(missing_ok=True)
        stop = ("waits_at", {"function": function, "name": name, "call": call})
        self.running[name] = self.server.start(self.project, command, [*within, stop], name)
        while not self.project.with_name(f"{name}.waits").exists():
            if processor_seconds(self.running[name]) is None:
                raise AssertionError(self.ends(name).output)
            time.sleep(0.02)

    def ends(self, name: str) -> Ended:
        """Let a run go on to its end."""
        self.project.with_name(f"{name}.goes").touch()
        return self.server.wait(self.running.pop(name), self.project, name)

    def run(self, command: str, *within: Within) -> Ended:
        """A run from its start to its end."""
        return self.server.run(self.project, command, within)

    def alone(self, state: Path, command: str) -> dict[str, str]:
        """What a command saves where nothing else is at work."""
        self.begin(state)
        well(self.run(command))
        return self.saved()[-1]

    def saved(self) -> list[dict[str, str]]:
        """What each run has saved, in the order of their versions."""
        return [*by_version(self.project).values()]


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Side:
    """All at one place, since results hold the path of the source."""
    side = Side(tmp_path_factory.mktemp("side"), server)
    side.project.mkdir()
    nifti_project(side.project)
    shutil.copytree(side.project, side.fresh)
    well(side.run(MISSION))
    shutil.copytree(side.project, side.made)
    return side


@pytest.fixture
def side(place: Side, request: pytest.FixtureRequest) -> Iterator[Side]:
    """In a project before its first run, or, with the mark `MADE`, after it."""
    place.begin(place.made if getattr(request, "param", "") else place.fresh)
    yield place
    for name in [*place.running]:
        place.ends(name)


@pytest.fixture(scope="module")
def undisturbed(place: Side) -> dict[str, str]:
    """What a mission saves that is alone."""
    return results(place.made)


MADE = pytest.mark.parametrize("side", ["made"], indirect=True)


def well(ended: Ended) -> None:
    assert ended.code == 0, ended.output


def refused(ended: Ended, *words: str) -> None:
    """By one line, which has all of `words`."""
    assert ended.code == 1, ended.output
    assert ended.line.startswith("ERROR: "), ended.output
    assert not NEVER.search(ended.output), ended.output
    assert not [word for word in words if word not in ended.line], ended.line


@pytest.mark.slow
@pytest.mark.parametrize("function", [AN_EYE, A_FILE])
def test_two_missions_end_alike(side: Side, undisturbed: dict[str, str], function: str):
    side.waiting("first", MISSION, function, call=3)
    well(side.run(MISSION))
    well(side.ends("first"))
    assert side.saved() == [undisturbed] * 2


@pytest.mark.slow
def test_of_two_missions_in_one_training_the_second_is_refused(side: Side, undisturbed: dict[str, str]):
    side.waiting("first", MISSION, A_STATE)
    refused(side.run(MISSION), "another process is running this training; wait for it or stop it")
    well(side.ends("first"))
    well(side.run(MISSION))
    first, _, third = side.saved()
    assert first == third == undisturbed


@pytest.mark.slow
def test_a_mission_and_a_processing_with_other_parameters(side: Side, undisturbed: dict[str, str]):
    other = side.alone(side.fresh, OTHER)
    side.begin(side.fresh)
    side.waiting("first", MISSION, AN_EYE, call=3)
    well(side.run(OTHER))
    well(side.ends("first"))
    assert side.saved() == [undisturbed, other]


@MADE
def test_a_training_beside_a_processing_is_refused(side: Side):
    side.waiting("first", OTHER, AN_EYE)
    before = results(side.project)
    refused(side.run(TRAINING), "another run", "is at work on what this one would read", "wait until it has ended")
    assert results(side.project) == before
    well(side.ends("first"))


@pytest.mark.slow
def test_two_environments(side: Side, undisturbed: dict[str, str]):
    shutil.copytree(side.project / "conf/nifti_folder", side.project / "conf/second")
    side.waiting("first", MISSION, AN_EYE, call=3)
    well(side.run(MISSION.replace("nifti_folder", "second")))
    well(side.ends("first"))
    first, second = side.saved()
    assert first == undisturbed
    assert {name.replace("data/second", DATA) for name in second} == first.keys()
    assert {name for name in second if name.startswith(DATA)} == set()


@MADE
@pytest.mark.slow
def test_an_inference_beside_a_mission_is_refused_unless_it_names_its_networks(side: Side, undisturbed: dict[str, str]):
    checkpoint = next((side.project / DATA / "06_models").glob("*/*/*/*/checkpoint.safetensors"))
    references = max((side.project / DATA / "02_intermediate/references/manifest.json").iterdir()).name
    named = f"{INFERENCE} --params inference.checkpoint={checkpoint.relative_to(side.project)}"
    named += f" --load-versions references:{references}"
    expected = side.alone(side.made, named)
    side.begin(side.made)
    side.waiting("first", f"{MISSION} --params training_3d.seed=5", A_STATE)
    refused(side.run(INFERENCE), "another run", "inference.checkpoints")
    well(side.run(named))
    well(side.ends("first"))
    assert side.saved()[-1] == expected


@pytest.mark.slow
@pytest.mark.parametrize("function", [AN_EYE, A_FILE])
def test_a_run_that_is_killed_beside_one_that_lives(side: Side, undisturbed: dict[str, str], function: str):
    side.waiting("first", MISSION, function, call=2)
    assert side.run(MISSION, ("killed_at", {"function": function, "call": 5})).code == -9
    well(side.ends("first"))
    well(side.run(MISSION))
    first, *killed, again = side.saved()
    assert first == again == undisturbed
    assert len(killed) <= 1
    assert not [*side.project.rglob(".partial-*")]


@MADE
def test_two_that_start_with_the_same_version(side: Side):
    clock = ("stopped_clock", {"version": FAR})
    side.waiting("first", PROCESSING, "octa_kedro.cohort.table:select_eyes", clock)
    refused(side.run(PROCESSING, clock), "another run has started in the same millisecond", "start this one again")
    well(side.ends("first"))
    before = by_version(side.project)
    refused(side.run(PROCESSING, clock), FAR, "Has the clock been set back")
    assert by_version(side.project) == before


@pytest.mark.slow
def test_a_clock_that_is_set_back_while_a_run_is_at_work(side: Side, undisturbed: dict[str, str]):
    side.waiting("first", MISSION, AN_EYE, ("clock", {"hours": 1.0}), call=3)
    well(side.run(MISSION))
    well(side.ends("first"))
    assert side.saved() == [undisturbed] * 2
    refused(side.run(TRAIN), "newer than this run", "Correct the clock")


@MADE
@pytest.mark.slow
def test_two_searches_of_one_study(side: Side, undisturbed: dict[str, str]):
    expected = side.alone(side.made, TUNING)
    side.begin(side.made)
    side.waiting("first", TUNING, A_TRIAL)
    refused(side.run(TUNING), "another process", "is searching here; wait for it or stop it")
    well(side.ends("first"))
    well(side.run(TUNING))
    assert side.saved()[-1].keys() == expected.keys()
