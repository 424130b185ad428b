"""Faults of files that the program itself has written: cut, emptied, edited, exchanged or deleted afterwards."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.harness import DATA, MISSION, PROCESS, PROCESSED, TRAIN, Fault, table
from tests.faults.judge import Bench
from tests.faults.making import Change, content, cut, edited, flipped, found, removed, table_edited

GROUP = "damage"
STEPS = ("pool_models", "compare_models", "calibrate_models", "tabulate_variation", "tabulate_metrics")
EVALUATE = f"run --env nifti_folder --nodes {','.join(f'evaluation.{step}' for step in STEPS)}"
LEARN = "run --env nifti_folder --nodes training_3d.fold_1.train"
PREDICT = "run --env nifti_folder --nodes training_3d.fold_1.predict"
MODEL = f"{DATA}/06_models/training_3d/fold_1"
WEIGHTS, CARD = (f"{MODEL}/checkpoint.safetensors/*/checkpoint.{end}" for end in ("safetensors", "json"))
PREDICTIONS = f"{DATA}/07_model_output/training_3d/fold_1/predictions.csv/*/predictions.csv"
SEEN = f"{DATA}/07_model_output/training_3d/fold_1/seen.csv/*/seen.csv"
FOLD = f"{DATA}/05_model_input/splits_fold_1.csv/*/splits_fold_1.csv"
SPLITS = f"{DATA}/05_model_input/splits.csv/*/splits.csv"
VOLUMES = f"{DATA}/05_model_input/processed_volumes/manifest.json/*/manifest.json"
VOLUME = f"{DATA}/05_model_input/processed/*-volume.nii"


def emptied(path: str) -> Change:
    """The first matching file, with nothing in it."""
    return lambda project: found(project, path).write_bytes(b"")


def first_row(column: str, text: str) -> Callable:
    def change(frame):
        assert column in frame
        frame.loc[frame.index[0], column] = text
        return frame

    return change


def last_row(column: str, text: str) -> Callable:
    """The last row of a table with another text in a column that it has."""

    def change(frame):
        assert column in frame
        frame.loc[frame.index[-1], column] = text
        return frame

    return change


def other_card(change: Callable[[dict], object]) -> Change:
    """A card, edited by hand."""

    def edit(text: str) -> str:
        card = json.loads(text)
        change(card.get("content", card))
        return json.dumps(card)

    return edited(CARD, edit)


def all_emptied(pattern: str) -> Change:
    return lambda project: [path.write_bytes(b"") for path in project.glob(pattern)]


def all_cut(pattern: str) -> Change:
    return lambda project: [path.write_bytes(path.read_bytes()[:40]) for path in project.glob(pattern)]


def empty_version(path: str) -> Change:
    """What a full disk may leave: a newest version with an empty file."""

    def make(project: Path) -> None:
        now = f"{datetime.now(UTC):%Y-%m-%dT%H.%M.%S}.000Z"
        content(f"{path}/{now}/{Path(path).name}", b"")(project)

    return make


def swapped(project: Path) -> None:
    """Two eyes of a manifest with each other's files."""
    file = found(project, VOLUMES)
    whole = json.loads(file.read_text())
    eyes = whole.get("content", whole)
    eyes["e0"], eyes["e1"] = eyes["e1"], eyes["e0"]
    file.write_text(json.dumps(whole, indent=1))


def refused(name: str, make: Change, says: str = "", **what) -> Fault:
    return Fault(name, make, says, **{"command": EVALUATE} | what)


def again(name: str, make: Change, says: str = "", **what) -> Fault:
    """Made again, and right: results are those of an undisturbed run."""
    return Fault(name, make, says, **{"command": PROCESS, "ends": "harmless"} | what)


CHANGED = "its content has changed since it was written (edited, cut short or swapped); restore it, or delete"
CARD_CHANGED = "damaged (its content has changed since it was written); restore both files of the checkpoint from"
QUICK = {"predictions are cut inside the last number"}

# fmt: off
MADE_AGAIN = [
    again("the remembered fingerprints are empty", all_emptied(f"{DATA}/02_intermediate/fingerprints/*")),
    again("the remembered fingerprints are cut short", all_cut(f"{DATA}/02_intermediate/fingerprints/*")),
    again("the records of the stored volumes are cut short", all_cut(f"{DATA}/05_model_input/processed/*-volume.json")),
    again("the records of the stored volumes are empty", all_emptied(f"{DATA}/05_model_input/processed/*-volume.json")),
    again("a stored volume is deleted", removed(VOLUME)),
    again("the folder of stored volumes is deleted", removed(f"{DATA}/05_model_input/processed")),
    again("the folder of a training is deleted", removed(f"{MODEL}/running"), command=TRAIN),
    again("the history of a training is cut short", cut(f"{MODEL}/running/*/history.csv"), command=TRAIN),
    again("the description of a training is empty", emptied(f"{MODEL}/running/*/about.json"), command=TRAIN),
    again("all results are deleted", removed(DATA), command=MISSION),
]
REFUSED = [
    refused("the state of a training is cut short", cut(f"{MODEL}/running/*/state.safetensors"),
            "state.safetensors: damaged or cut off ... restore it from a copy, or delete it and train from the start",
            command=LEARN),
    refused("the state of a training is empty", emptied(f"{MODEL}/running/*/state.safetensors"),
            "state.safetensors: damaged or cut off ... restore it from a copy, or delete it and train from the start",
            command=LEARN),
    refused("a stored volume is cut short", cut(VOLUME),
            "-volume.nii: its bytes have changed since it was written; delete it and run again", command=PROCESS,
            leaves=PROCESSED),
    refused("one bit of a stored volume is flipped", flipped(VOLUME),
            "-volume.nii: its bytes have changed since it was written; delete it and run again", command=PROCESS,
            leaves=PROCESSED),
    refused("a manifest is cut short", cut(VOLUMES),
            "manifest.json: damaged ( ... delete it and run the pipeline that makes it again", command=LEARN),
    refused("a manifest is empty", emptied(VOLUMES),
            "manifest.json: damaged ( ... delete it and run the pipeline that makes it again", command=LEARN),
    refused("two eyes of a manifest are exchanged", swapped,
            "manifest.json: damaged (its content has changed since it was written); delete it and run", command=LEARN,
            quick=True),
    refused("a stored volume is deleted before a training", removed(VOLUME),
            "-volume.nii: named by a manifest but gone; run the pipeline that makes it again",
            command=f"{LEARN} --params training_3d.seed=5", again=TRAIN),
    refused("one bit of a stored volume is flipped before a training", flipped(VOLUME),
            "-volume.nii: its bytes have changed since it was written; delete it and run",
            command=f"{LEARN} --params training_3d.seed=5", again=TRAIN),
    refused("a checkpoint is cut short", cut(WEIGHTS),
            "checkpoint.safetensors: is not the file that checkpoint.json describes; restore both files",
            command=PREDICT, quick=True),
    refused("a checkpoint is empty", emptied(WEIGHTS),
            "checkpoint.safetensors: is not the file that checkpoint.json describes; restore both files",
            command=PREDICT),
    refused("one bit of a checkpoint is flipped", flipped(WEIGHTS),
            "checkpoint.safetensors: is not the file that checkpoint.json describes; restore both files",
            command=PREDICT),
    refused("the card of a checkpoint is cut short", cut(CARD), "checkpoint.json: ", command=PREDICT),
    refused("the card of a checkpoint is gone", removed(CARD),
            "checkpoint.json: no such file; a checkpoint is a .safetensors file with a .json beside it",
            command=PREDICT),
    refused("the card of a checkpoint no longer says what was seen", other_card(lambda c: c.update(seen={})),
            "checkpoint.json: " + CARD_CHANGED, command=PREDICT, again=TRAIN, quick=True),
    refused("the card of a checkpoint names another network", other_card(lambda c: c["model"].update(name="resnet18")),
            "checkpoint.json: " + CARD_CHANGED, command=PREDICT),
    *(
        refused(name, make, f"{file}: {CHANGED}", command=command, quick=name in QUICK)
        for name, make, file, command in (
            ("predictions are cut inside the last number", cut(PREDICTIONS, 0.99), "predictions.csv", EVALUATE),
            ("predictions are empty", emptied(PREDICTIONS), "predictions.csv", EVALUATE),
            ("a probability is edited", table_edited(PREDICTIONS, first_row("probability", "0.99")), "predictions.csv",
             EVALUATE),
            ("a truth is edited", table_edited(PREDICTIONS, first_row("target", "1")), "predictions.csv", EVALUATE),
            ("a prediction is deleted", table_edited(PREDICTIONS, lambda t: t.iloc[1:]), "predictions.csv", EVALUATE),
            ("predictions were saved by a spreadsheet program with semicolons",
             edited(PREDICTIONS, lambda t: t.replace(",", ";")), "predictions.csv", EVALUATE),
            ("the table of what was seen lacks its training rows",
             table_edited(SEEN, lambda t: t[t["used_for"] != "training"]), "seen.csv", EVALUATE),
            ("the table of what was seen is empty", emptied(SEEN), "seen.csv", EVALUATE),
            ("the splits are edited", table_edited(SPLITS, first_row("held_out", "True")), "splits.csv", EVALUATE),
            ("a fold is edited", table_edited(FOLD, first_row("label", "ill")), "splits_fold_1.csv", LEARN),
            ("a fold is cut short", cut(FOLD), "splits_fold_1.csv", LEARN),
        )
    ),
    refused("a newer version of the predictions is an empty file", empty_version(str(Path(PREDICTIONS).parents[1])),
            "predictions.csv: made by an earlier version of this program, or copied without"),
    refused("the note of what the results belong to is empty", emptied(f"{DATA}/source.json"),
            "source.json: does not say whose results these are ... delete it if they are of", command=PROCESS),
]
# fmt: on
FAULTS = [*MADE_AGAIN, *REFUSED]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_damage(bench: Bench, fault: Fault):
    bench.judge(fault)
