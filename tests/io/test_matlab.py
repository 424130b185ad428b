"""The reader of MATLAB files agrees with SciPy's, and refuses what it is not sure of."""

import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import loadmat, savemat

from octa_kedro.errors import DataError
from octa_kedro.io.matlab import HEADER_BYTES, read_matlab

KINDS = st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "?"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays(KINDS, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)), st.booleans())
def test_every_array_of_numbers_is_read_as_scipy_reads_it(tmp_path: Path, array: np.ndarray, compressed: bool):
    path = tmp_path / "eye.mat"
    content = {"before": "text", "Layer": array, "behind": {"a": [1, 2]}}
    savemat(path, content, do_compression=compressed, oned_as="row")
    found, reversed_axes = read_matlab(path, "Layer")
    wanted = loadmat(path)["Layer"]
    assert found.shape == wanted.shape
    assert not reversed_axes
    np.testing.assert_array_equal(found, wanted)


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def mat(
    order: str = "<", *, numbers: bytes = bytes(range(24)), kind: int = 2, flags: int = 6, lengths=(2, 3, 4)
) -> bytes:
    """A file with the variable "Layer", as MATLAB writes it: numbers of a double in one byte each."""
    head = element(6, struct.pack(f"{order}II", flags, 0), order) + element(
        5, struct.pack(f"{order}3i", *lengths), order
    )
    body = head + element(1, b"Layer", order) + element(kind, numbers, order)
    mark = {"<": b"IM", ">": b"MI"}[order]
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x100) + mark + element(14, body, order)


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_and_numbers_in_fewer_bytes_are_read(tmp_path: Path, order: str):
    (tmp_path / "eye.mat").write_bytes(mat(order))
    found = read_matlab(tmp_path / "eye.mat", "Layer")[0]
    np.testing.assert_array_equal(found, np.arange(24).reshape((2, 3, 4), order="F"))


REFUSED = {
    "the beginning": mat()[:100],
    "an older format": struct.pack("<5i", 0, 2, 3, 0, 6) + b"Layer\0" + bytes(200),
    "complex numbers": mat(flags=6 | 0x800),
    "text": mat(flags=4),
    "less than it states": mat(lengths=(2, 3, 5)),
    "more than it states": mat(lengths=(2, 3, 3)),
    "a negative length": mat(lengths=(-2, -3, 4)),
    "a length without end": mat(lengths=(2**31 - 1, 2**31 - 1, 2**31 - 1)),
    "numbers that its type cannot hold": mat(flags=9, kind=9, numbers=bytes(192)),
    "an unknown type of numbers": mat(kind=77),
    "the variable twice": mat() + mat()[HEADER_BYTES:],
    "a tag of five bytes": mat().replace(struct.pack("<II", 1, 5), struct.pack("<HH4s", 1, 5, b"")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_sure_is_refused(tmp_path: Path, what: str):
    (tmp_path / "eye.mat").write_bytes(REFUSED[what])
    with pytest.raises(DataError, match=r"eye\.mat: "):
        read_matlab(tmp_path / "eye.mat", "Layer")


def test_a_wrong_byte_in_a_compressed_variable_is_found_by_its_checksum(tmp_path: Path):
    savemat(tmp_path / "eye.mat", {"Layer": np.arange(24.0).reshape(2, 3, 4)}, do_compression=True)
    whole = (tmp_path / "eye.mat").read_bytes()
    for place in range(HEADER_BYTES, len(whole)):
        (tmp_path / "eye.mat").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"eye\.mat: "):
            read_matlab(tmp_path / "eye.mat", "Layer")


def test_a_compressed_variable_that_states_terabytes_is_refused(tmp_path: Path):
    packed = zlib.compress(struct.pack("<II", 14, 2**32 - 1) + mat()[HEADER_BYTES + 8 :])
    (tmp_path / "eye.mat").write_bytes(mat()[:HEADER_BYTES] + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match=r"eye\.mat: its header states 4294967295 bytes, more than \d+ compressed ones"):
        read_matlab(tmp_path / "eye.mat", "Layer")


def save_hdf5(path: Path, how: str) -> None:
    with h5py.File(path, "w") as file:
        if how == "missing chunks":  # reading gives zeros in their place
            file.create_dataset("Layer", (64, 64, 64), "f8", chunks=(16, 16, 16))[:16] = 1
        elif how == "no numbers at all":
            file.create_dataset("Layer", (1000, 1000, 100), "f4")
        elif how == "numbers in another file":
            outside = [(str(path.with_name("secret")), 0, 48)]
            file.create_dataset("Layer", (6,), "f8", external=outside)
        elif how == "a link to another file":
            file["Layer"] = h5py.ExternalLink("other.h5", "Layer")
        elif how == "text":
            file["Layer"] = ["a", "b"]
        else:
            file.create_group("Layer")


@pytest.mark.parametrize(
    "how",
    ["missing chunks", "no numbers at all", "numbers in another file", "a link to another file", "text", "a group"],
)
def test_hdf5_that_does_not_hold_its_numbers_is_refused(tmp_path: Path, how: str):
    (tmp_path / "secret").write_bytes(bytes(48))
    save_hdf5(tmp_path / "eye.mat", how)
    with pytest.raises(DataError, match=r"eye\.mat: "):
        read_matlab(tmp_path / "eye.mat", "Layer")
