"""What is said of an eye that does not look like the training eyes."""

from pathlib import Path

from octa_kedro.inference.familiarity import KNOWN, STRANGE, UNKNOWN, judge_familiarity
from octa_kedro.inference.networks import Network
from octa_kedro.training.familiar import Familiar, familiar_from
from tests.explain.test_patches import checkpoint
from tests.training.test_familiar import facts, volume

LIKE = familiar_from([facts(volume(seed)) for seed in range(12)])
UNLIKE = familiar_from([facts(volume(seed, shift=12)) for seed in range(12)])


def network(familiar: Familiar | None) -> Network:
    return Network(checkpoint(familiar=familiar), Path("c.safetensors"), "")


def test_a_usual_eye_is_familiar():
    assert judge_familiarity(facts(volume(100)), [network(LIKE)] * 2).answer == KNOWN


def test_reasons_name_what_is_strange_and_by_how_much():
    found = judge_familiarity(facts(volume(100, shift=12), signal_db=11.0), [network(LIKE)])
    assert found.answer == STRANGE
    assert any(reason.startswith("depth profile") for reason in found.reasons)
    assert "signal_db 11, training eyes 20 to 20" in found.reasons


def test_one_network_of_three_raises_no_alarm_and_two_do():
    eye = facts(volume(100))
    assert judge_familiarity(eye, [network(LIKE), network(LIKE), network(UNLIKE)]).answer == KNOWN
    assert judge_familiarity(eye, [network(LIKE), network(UNLIKE), network(UNLIKE)]).answer == STRANGE


def test_without_figures_in_a_card_the_answer_is_unknown():
    assert judge_familiarity(facts(volume(100)), [network(LIKE), network(None)]).answer == UNKNOWN
