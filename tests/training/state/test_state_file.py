"""The state file: what comes back, and what survives a kill, a full disk and a damaged file."""

import errno
import math
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from octa_kedro.errors import CheckpointError, DataError
from octa_kedro.io.files import UNFINISHED
from octa_kedro.training.state import state_file
from octa_kedro.training.state.state_file import load_state, save_state, write_tensors


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run" / "last.safetensors"


def round_trip(path, tree):
    save_state(path, tree)
    return load_state(path)


@pytest.mark.parametrize(
    "tree",
    [
        None,
        True,
        7,
        -(2**100),
        "",
        "a\n\"b\" \u00b5 \ud800 {'float': 'inf'}",
        [],
        (),
        {},
        [1, (2, [3.0, ()]), {}],
        {"a": 1, 2: "b", 2.5: None, None: False, (1, "x"): [True]},
        {"float": "inf", "tensor": ["0", "float32", [1]], "dict": []},
        {"dtype": torch.bfloat16},
        [0.1, 1e22, 5e-324, 1.7976931348623157e308, 1.0, 10.0**16],
    ],
)
def test_what_is_no_tensor_comes_back_exactly(path, tree):
    back = round_trip(path, tree)
    assert back == tree
    assert repr(back) == repr(tree)  # 1, 1.0 and True are equal, but not the same


def test_floats_that_json_lacks(path):
    inf, minus_inf, nan, minus_zero = round_trip(path, [math.inf, -math.inf, math.nan, -0.0])
    assert (inf, minus_inf) == (math.inf, -math.inf)
    assert math.isnan(nan)
    assert math.copysign(1, minus_zero) == -1


DTYPES = [
    *("float64", "float32", "float16", "bfloat16", "bool", "uint8", "int8", "int16", "int32", "int64"),
    *("uint16", "uint32", "uint64", "float8_e4m3fn", "complex64", "complex128"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3, 4)])
def test_tensors_of_every_type_and_shape(path, dtype, shape):
    tensor = (torch.arange(math.prod(shape)).reshape(shape) % 2).to(getattr(torch, dtype))
    back = round_trip(path, {"t": tensor})["t"]
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(back.reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))


def test_bits_of_tensors_are_kept(path):
    tensor = torch.tensor([math.nan, math.inf, -0.0, 1e-45])
    assert torch.equal(round_trip(path, tensor).view(torch.int32), tensor.view(torch.int32))


def test_views_shared_memory_and_parameters(path):
    base = torch.arange(12.0).reshape(3, 4)
    weight = torch.nn.Parameter(base.clone())
    tree = {"base": base, "again": base, "row": base[1], "turned": base.T, "weight": weight}
    tree |= {"empty": base[:0], "void": torch.empty(0), "nothing": torch.empty(0)}
    back = round_trip(path, tree)
    assert all(torch.equal(back[name], tree[name]) for name in tree)
    assert not back["weight"].requires_grad
    back["base"].zero_()
    assert torch.equal(back["again"], base)  # stored by value


def test_state_dicts_of_torch(path):
    model = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.BatchNorm3d(2))
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.rand(2, 1, 4, 4, 4)).sum().backward()
    optimiser.step()
    tree = {"model": OrderedDict(model.state_dict()), "optimiser": optimiser.state_dict(), "rng": torch.get_rng_state()}
    back = round_trip(path, tree)
    assert list(back["model"]) == list(tree["model"])
    assert back["optimiser"]["param_groups"] == tree["optimiser"]["param_groups"]
    assert [*back["optimiser"]["state"]] == [0, 1, 2, 3]
    torch.testing.assert_close(back, tree, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({"a": [1, {2}]}, r"state\.a\.1 is a set"),
        ({"a": torch.eye(2).to_sparse()}, r"state\.a is a sparse"),
        (b"bytes", "state is a bytes"),
    ],
)
def test_what_a_state_cannot_hold_is_named(path, tree, match):
    with pytest.raises(TypeError, match=match):
        save_state(path, tree)
    assert not path.parent.exists()


def test_input_is_unchanged(path):
    tensor = torch.arange(4.0)
    tree = {"a": [tensor, tensor[1:]]}
    save_state(path, tree)
    assert tree["a"][0] is tensor
    assert torch.equal(tensor, torch.arange(4.0))


def test_file_can_be_read_by_others_and_nothing_else_is_left(path):
    save_state(path, {"a": torch.ones(3)})
    save_state(path, {"a": torch.ones(4)})
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_what_a_killed_process_leaves_is_known_as_unfinished(path):
    names = []
    write_tensors(path, {"a": torch.ones(3)}, before=lambda file: names.append(file.parent.name))
    assert UNFINISHED.match(names[0])


def test_missing_file(path):
    with pytest.raises(CheckpointError, match=r"last\.safetensors: no such file"):
        load_state(path)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, -1])
def test_cut_off_file(path, keep):
    save_state(path, {"a": torch.arange(1000), "b": list(range(50))})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"last\.safetensors: .*delete it and train from the start"):
        load_state(path)


def test_every_changed_byte_is_noticed(path):
    save_state(path, {"a": torch.arange(3)})
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"last\.safetensors"):
            load_state(path)


def test_pickled_files_are_not_read(path):
    path.parent.mkdir()
    for old in (False, True):
        torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=not old)
        with pytest.raises(CheckpointError, match=r"last\.safetensors: a pickled file"):
            load_state(path)


def test_foreign_files(path):
    path.parent.mkdir()
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match=r"last\.safetensors: not a training state"):
        load_state(path)
    path.write_text("some text of another program")
    with pytest.raises(CheckpointError, match=r"last\.safetensors: damaged"):
        load_state(path)


@pytest.mark.parametrize("tree", ['{"tensor": ["9", "float32", []]}', '{"tensor": ["0", "save", []]}', '{"a": 1}', "["])
def test_forged_files(path, tree):
    path.parent.mkdir()
    tensors = {"0": torch.ones(2)}
    marks = {"octa_kedro_state": "1", "tree": tree, "crc32": str(state_file._checksum(tree, tensors))}
    save_file(tensors, path, metadata=marks)
    with pytest.raises(CheckpointError, match=r"last\.safetensors: not a state that octa_kedro wrote"):
        load_state(path)


@pytest.mark.parametrize("step", ["save_file", "flush"])
def test_full_disk_leaves_the_old_state(path, monkeypatch, step):
    save_state(path, "old")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_file, step, full)
    with pytest.raises(DataError, match=r"last\.safetensors: the disk is full, this file needs 4\.0 MB; the one saved"):
        save_state(path, {"a": torch.zeros(1_000_000)})
    assert load_state(path) == "old"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"last\.safetensors: cannot be written .*none was saved before"):
        save_state(tmp_path / "file" / "last.safetensors", 1)


FILLED_UP = """
import resource, signal, sys
from pathlib import Path
import torch
from octa_kedro.errors import DataError
from octa_kedro.training.state.state_file import load_state, save_state

path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for before in (None, torch.arange(10)):
    try:
        save_state(path, torch.zeros(100_000))
        raise SystemExit("written in spite of the limit")
    except DataError as error:
        assert "the disk is full" in str(error) and str(path) in str(error), error
        assert ("still whole" in str(error)) == (before is not None), error
    assert before is None or torch.equal(load_state(path), before)
    save_state(path, torch.arange(10))
assert [file.name for file in path.parent.iterdir()] == [path.name]
"""


def test_limit_of_file_size_is_a_full_disk(path):
    subprocess.run([sys.executable, "-c", FILLED_UP, str(path)], check=True)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from octa_kedro.running.upkeep import look_after
from octa_kedro.training.state.state_file import load_state, save_state

path, chance = Path(sys.argv[1]), random.Random(0)
save_state(path, (0, torch.zeros(300_000)))
seen, rounds, leftovers = set(), 0, 0
while rounds < 20 or len(seen) < 3 or leftovers < 3:  # how many kills hit the writing depends on the machine
    rounds += 1
    assert rounds < 1000, (seen, leftovers)
    child = os.fork()
    if not child:
        number, _ = load_state(path)
        while True:
            number += 1
            save_state(path, (number, torch.full((300_000,), float(number))))
    time.sleep(chance.uniform(0.005, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    leftovers = len(list(path.parent.iterdir())) - 1
    number, tensor = load_state(path)
    assert torch.equal(tensor, torch.full((300_000,), float(number))), number
    seen.add(number)
look_after(path.parent, "9999")
assert [file.name for file in path.parent.iterdir()] == [path.name]
"""


def test_kills_while_it_is_written_leave_a_whole_state(path):
    # One thread: a fork of a process that has used several waits for threads it does not have.
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=True, env=one_thread)
