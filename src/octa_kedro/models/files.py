"""Weights in files that are not this project's checkpoints; nothing in them is ever executed."""

import pickle
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file

from octa_kedro.errors import CheckpointError
from octa_kedro.io.boundary import of_the_machine
from octa_kedro.messages.words import first_words

WRAPPERS = ("state_dict_ema", "state_dict", "model", "teacher")
PARALLEL = "module."
PAGES, BEGIN = (b"<!doctype", b"<html", b"<?xml"), 512
"""How the page of a server begins that was saved in the place of a file; and how many bytes are looked at."""


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name of a .safetensors file or of a torch file that holds tensors only, on the CPU.

    A dictionary under ``state_dict`` or the like is unwrapped, the prefix ``module.`` of DataParallel dropped.
    CheckpointError for a missing, damaged or executable file.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise CheckpointError(f"{path}: {what}; give weights_file the path of a downloaded file")
    with path.open("rb") as file:
        begin = file.read(BEGIN).lstrip().lower()
    if not begin or begin.startswith(PAGES):
        what = "a web page and no weights" if begin else "an empty file"
        raise CheckpointError(f"{path}: {what}, as a failed download leaves it; download it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of unusual pickles, which are read or refused below
            content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # torch raises what it meets in a damaged file
        if of_the_machine(error):
            raise
        if isinstance(error, pickle.UnpicklingError):
            raise CheckpointError(
                f"{path}: not a file of plain tensors; it may hold code, which is never run: save the network's "
                "state_dict alone, best as .safetensors"
            ) from error
        raise CheckpointError(
            f"{path}: not a file of plain tensors ({first_words(error)}); download it again, or save the network's "
            "state_dict alone, best as .safetensors"
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    weights = {str(k).removeprefix(PARALLEL): v for k, v in content.items()} if isinstance(content, dict) else {}
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise CheckpointError(f"{path}: holds no dictionary of tensors")
    return weights
