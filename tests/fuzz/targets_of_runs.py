"""Readers of what runs keep or are told: parameters, checkpoints, states, studies."""

import json
import struct
from pathlib import Path
from typing import Any

import yaml

from octa_kedro.configuration.run_parameters import parameters_file
from octa_kedro.io.hashing import sha256_of

CONF = {
    "source": {"path": "x", "anatomy": "eye"},
    "training_3d": {"epochs": 3, "model": {"name": "resnet10"}, "lr": 1e-3},
    "processing": {"size": [64, 64, 64], "slabs": ["SVP"]},
}
YAML = yaml.safe_dump(CONF) + "more: &a {k: 1}\nagain: *a\n"


def rle_bitmap(width: int, height: int) -> bytes:
    """A bitmap in runs of equal pixels."""
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    rows = b"".join(bytes([width, 7 * row % 256, 0, 0]) for row in range(height)) + b"\0\1"
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", 1078 + len(rows), 0, 0, 1078) + info + palette + rows


def write_yaml(path: Path) -> None:
    """Parameters of a run."""
    path.write_text(YAML)


def read_parameters(path: Path) -> None:
    """What ``--params parameters=FILE`` does."""
    parameters_file({"parameters": str(path), "cohort.name": "x"})


def read_conf(path: Path) -> None:
    """A project whose local parameters are damaged."""
    from octa_kedro.configuration.config_loader import ConfigLoader

    for folder in ("base", "local"):
        (path.parent / "conf" / folder).mkdir(parents=True, exist_ok=True)
    (path.parent / "conf/base/parameters.yml").write_text(yaml.safe_dump(CONF))
    (path.parent / "conf/local/parameters.yml").write_bytes(path.read_bytes())
    loader = ConfigLoader(path.parent / "conf", base_env="base", default_run_env="local")
    _ = loader["parameters"]


def state_tree() -> dict[str, Any]:
    """A training's state, in small."""
    import torch

    return {
        "epoch": 3,
        "tensors": [torch.arange(6.0).reshape(2, 3), torch.ones(2, dtype=torch.bool)],
        "lr": (1e-3, None),
    }


def write_state(path: Path) -> None:
    """The state of an interrupted training."""
    from octa_kedro.training.state.state_file import save_state

    save_state(path, state_tree())


def read_state(path: Path) -> None:
    """The same again."""
    from octa_kedro.training.state.state_file import load_state

    load_state(path)


def write_weights(path: Path) -> None:
    """Weights of others: safetensors, or a torch file."""
    import torch
    from safetensors.torch import save_file

    weights = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2, dtype=torch.float16)}
    save_file(weights, path) if path.suffix == ".safetensors" else torch.save({"state_dict": weights}, path)


def read_foreign(path: Path) -> None:
    """Weights that start a network."""
    from octa_kedro.models.files import read_weights

    read_weights(path)


def write_checkpoint(path: Path) -> None:
    """Weights alone; the card is made by the reader, so that it fits them."""
    write_weights(path)


def read_checkpoint(path: Path) -> None:
    """A checkpoint whose card has the hash of the damaged weights."""
    from octa_kedro.training.checkpoint import load_checkpoint

    path.with_suffix(".json").write_text(json.dumps(example_card() | {"weights_sha256": sha256_of(path)}))
    load_checkpoint(path)


def write_card(path: Path) -> None:
    """A card whose weights are whole."""
    write_weights(path.with_suffix(".safetensors"))
    path.write_text(json.dumps(example_card() | {"weights_sha256": sha256_of(path.with_suffix(".safetensors"))}))


def read_card(path: Path) -> None:
    """A checkpoint whose card is damaged."""
    from octa_kedro.training.checkpoint import load_checkpoint

    if not path.with_suffix(".safetensors").is_file():
        write_weights(path.with_suffix(".safetensors"))
    load_checkpoint(path.with_suffix(".safetensors"))


def example_card() -> dict[str, Any]:
    """A card of a classifier."""
    from tests.results.test_keys import CARD

    return dict(CARD.model_dump(mode="json"))


def write_study(path: Path) -> None:
    """A search with two trials."""
    study_of(path, told=2)


def read_study(path: Path) -> None:
    """The search again, continued."""
    for beside in path.parent.glob("study.db-*"):
        beside.unlink()
    study_of(path, told=0)


def study_of(path: Path, told: int) -> None:
    """Open the search and look at its trials."""
    from optuna.trial import TrialState

    from octa_kedro.results.code import Code
    from octa_kedro.tuning.study import StudyFile
    from octa_kedro.tuning.trials import end_trial, finished, revive

    with StudyFile(path, "training_3d").open("search", "maximise", {"a": 1}, Code({"m": "1"}, {})) as study:
        revive(study, 1)
        for _ in range(told):
            trial = study.ask()
            trial.suggest_float("lr", 1e-4, 1e-1, log=True)
            end_trial(trial, TrialState.COMPLETE, 0.5)
        finished(study)


def read_list(path: Path) -> None:
    """The list of checkpoints of an inference."""
    from octa_kedro.inference import networks

    networks._listed(path)


def read_settings(path: Path) -> None:
    """The processing parameters that a run has settled."""
    from octa_kedro.datasets.settings import ProcessingDataset

    ProcessingDataset(filepath=str(path)).load()


def write_settings(path: Path) -> None:
    """The same, of an empty configuration."""
    from octa_kedro.preprocessing.config import ProcessingConfig

    path.write_text(ProcessingConfig().model_dump_json(indent=1))


def read_claim(path: Path) -> None:
    """Whose results lie in a folder."""
    from octa_kedro.datasets.source import claim_root

    claim_root(path, path.parent / "source")


TARGETS = {
    "parameters": ("my.yml", write_yaml, read_parameters),
    "conf": ("parameters.yml", write_yaml, read_conf),
    "state": ("state.safetensors", write_state, read_state),
    "weights": ("w.safetensors", write_weights, read_foreign),
    "weights_torch": ("w.pth", write_weights, read_foreign),
    "checkpoint": ("checkpoint.safetensors", write_checkpoint, read_checkpoint),
    "card": ("checkpoint.json", write_card, read_card),
    "study": ("study.db", write_study, read_study),
    "checkpoints_txt": ("list.txt", lambda path: path.write_text("- a.safetensors\n# no\nb.safetensors\n"), read_list),
    "settings": ("settings.json", write_settings, read_settings),
    "claim": ("source.json", lambda path: path.write_text('{"source": "source"}'), read_claim),
}
