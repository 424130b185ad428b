"""The state of a training in one file, written atomically, that runs no code when it is read.

A safetensors file: the tensors of a nested state under numbers, and the rest of it as JSON in the file's metadata.
"""

import errno
import hashlib
import json
import math
import os
import re
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from octa_kedro.errors import CheckpointError, DataError, machine_fault
from octa_kedro.io.files import flush, unfinished_name
from octa_kedro.messages.words import first_words

VERSION = "1"
# Other types (complex ones, for instance) are stored as bytes, with their type beside them.
NATIVE = {
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save, as a zip file or of old


def hash_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the names and bytes of `tensors`, in the order of the names, as a hexadecimal string."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(_bytes_of(tensor.detach().cpu().contiguous()).numpy().data)
    return digest.hexdigest()


def save_state(path: Path, tree: Any) -> None:
    """Write nested dicts, lists and tuples of None, bool, int, float, str, tensors and their types, for `load_state`.

    Tensors are stored by value: two that share memory come back as two. The file replaces an older one when it is
    complete and on the disk; if writing fails, the older one stays. DataError if it cannot be written.
    TypeError for anything else in the tree, saying where.
    """
    shelf = _Shelf()
    skeleton, tensors = json.dumps(_encode(tree, shelf, "state")), shelf.tensors
    marks = {"octa_kedro_state": VERSION, "tree": skeleton, "crc32": str(_checksum(skeleton, tensors))}
    write_tensors(Path(path), tensors, marks)


def write_tensors(
    path: Path,
    tensors: dict[str, torch.Tensor],
    marks: dict[str, str] | None = None,
    before: Callable[[Path], None] = lambda _: None,
) -> None:
    """Write a safetensors file atomically; `before` is called with the complete file before it takes its
    place. DataError if it cannot be written, for instance on a full disk."""
    # safetensors writes a partial file under a name of its own; in a folder made for it, it can be deleted.
    folder = unfinished_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        _write(folder / path.name, tensors, marks)
        before(folder / path.name)
        (folder / path.name).replace(path)
        flush(path.parent)
    except (OSError, SafetensorError) as error:
        raise _unwritten(
            path, error, sum(map(len, (marks or {}).values())) + sum(t.nbytes for t in tensors.values())
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load_state(path: Path) -> Any:
    """Read what `save_state` wrote, tensors on the CPU; CheckpointError if it is missing, damaged or something else."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; there is no stored training to resume; start it anew")
    try:
        with safe_open(path, "pt") as file:
            marks = file.metadata() or {}
            # Copies: what is mapped from the file is not aligned as torch would, and sums could round differently.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        if machine_fault(error) is not None:
            raise
        kind = f"damaged or cut off ({first_words(error)})"
        if _head(path).startswith(PICKLES):
            kind = "a pickled file, which could run code and is never read"
        raise CheckpointError(f"{path}: {kind}; {_REMEDY}") from error
    if marks.get("octa_kedro_state") != VERSION:
        raise CheckpointError(f"{path}: not a training state of this version of octa_kedro; {_REMEDY}")
    if marks.get("crc32") != str(_checksum(marks.get("tree", ""), tensors)):
        raise CheckpointError(f"{path}: damaged, its checksum is wrong; {_REMEDY}")
    try:
        return _decode(json.loads(marks["tree"]), _Shelf(tensors))
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a state that octa_kedro wrote ({error!r}); {_REMEDY}") from error


_REMEDY = "restore it from a copy, or delete it and train from the start"


@dataclass(frozen=True)
class _Shelf:
    """Tensors by name, and the memory that they are in."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)

    def put(self, tensor: torch.Tensor, where: str) -> list[Any]:
        """Store a tensor; its name, type and shape."""
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise TypeError(f"{where} is a sparse or quantised tensor, which a state file cannot hold")
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage()
        if storage.nbytes() != plain.nbytes or storage.data_ptr() in self.taken:
            plain = plain.clone()  # safetensors takes no two tensors in the same memory
        self.taken.add(plain.untyped_storage().data_ptr())
        name = f"{len(self.tensors)}"
        self.tensors[name] = plain if plain.dtype in NATIVE else _bytes_of(plain)
        return [name, _name_of(plain.dtype), list(plain.shape)]

    def take(self, name: str, dtype: str, shape: list[int]) -> torch.Tensor:
        """What `put` stored."""
        stored, wanted = self.tensors[name], _dtype_of(dtype)
        return stored if stored.dtype == wanted else stored.view(wanted).reshape(shape)


def _encode(node: Any, shelf: _Shelf, where: str) -> Any:
    """`node` as JSON, whose objects are all ``{kind: content}``; its tensors are put on the shelf."""
    if node is None or isinstance(node, bool | int | str):
        return node
    if isinstance(node, float):
        return node if math.isfinite(node) else {"float": repr(float(node))}
    if isinstance(node, torch.Tensor):
        return {"tensor": shelf.put(node, where)}
    if isinstance(node, torch.dtype):
        return {"dtype": _name_of(node)}
    if isinstance(node, Mapping):
        pairs = [[_encode(key, shelf, where), _encode(one, shelf, f"{where}.{key}")] for key, one in node.items()]
        return {"dict": pairs}
    if type(node) in {list, tuple}:
        items = [_encode(item, shelf, f"{where}.{n}") for n, item in enumerate(node)]
        return items if isinstance(node, list) else {"tuple": items}
    raise TypeError(f"{where} is a {type(node).__name__}, which a state file cannot hold")


def _decode(node: Any, shelf: _Shelf) -> Any:
    """The inverse of `_encode`."""
    if isinstance(node, list):
        return [_decode(item, shelf) for item in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind == "tuple":
        return tuple(_decode(item, shelf) for item in content)
    if kind == "dict":
        return {_decode(key, shelf): _decode(value, shelf) for key, value in content}
    if kind == "tensor":
        return shelf.take(*content)
    return float(content) if kind == "float" else {"dtype": _dtype_of}[kind](content)


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _dtype_of(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{name} is no type of tensor")
    return dtype


def _bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def _checksum(skeleton: str, tensors: Mapping[str, torch.Tensor]) -> int:
    """CRC-32 of everything that is stored; safetensors itself notices only a file that is cut off."""
    value = zlib.crc32(skeleton.encode())
    for name in sorted(tensors):
        value = zlib.crc32(_bytes_of(tensors[name]).numpy().data, value)
    return value


def _write(path: Path, tensors: dict[str, torch.Tensor], marks: dict[str, str] | None) -> None:
    """Write the file and wait until the disk has it."""
    save_file(tensors, path, metadata=marks)
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)  # safetensors lets nobody else read it
    flush(path)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _unwritten(path: Path, error: Exception, size: int) -> DataError:
    """Why the file could not be written, what is left, and what to do."""
    told = re.search(r"os error (\d+)", str(error))  # safetensors hides the number in its message
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    left = "the one saved before is still whole" if path.is_file() else "none was saved before"
    if number in FULL:
        return DataError(
            f"{path}: the disk is full, this file needs {size / 1e6:.1f} MB; {left}: free space and run again"
        )
    return DataError(f"{path}: cannot be written ({first_words(error)}); {left}: correct this and run again")
