"""Ways to damage a file that know how files are made: tags, lengths, blocks, text, and compressed parts."""

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

EXTREME = (0, 1, -1, 2, 127, 128, 255, 256, 2**15 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1,
           2**62, 2**40, 10**9)  # fmt: skip
WORDS = (b"", b"-1", b"0", b"nan", b"inf", b"1e308", b"99999999999999999999", b"\xff\xfe", b"\0", b"null", b"{}", b"[]",
         b"[" * 3000, b"&a [*a]", b'"', b",", b"\t", b"=1+1", b"\xe9", b"2026-01-01", b"/", b"../x", b"<", b"]]>",
         b"1048576", b"XFD1048576", b"%x", b"${x}", b"${octa.root:}", b"!!python/none", b"true", b"\n")  # fmt: skip
HEADER = 400


def damaged(data: bytes, random: Random) -> bytes:
    """`data` with one to four kinds of damage; half the time, damage is done within what is compressed there."""
    if random.random() < 0.5:
        for unpack in (within_gzip, within_zip, within_matlab):
            if (inner := unpack(data, random)) is not None:
                return inner
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        data = random.choice(KINDS)(data, random)
    return data


def place_in(data: bytes, random: Random) -> int:
    """A place; headers come first, so most of the damage is done there."""
    return random.randrange(max(1, min(HEADER, len(data)) if random.random() < 0.4 else len(data)))


def cut(data: bytes, random: Random) -> bytes:
    """Only the beginning."""
    return data[: place_in(data, random)]


def flip(data: bytes, random: Random) -> bytes:
    """One bit."""
    at = place_in(data, random)
    return data[:at] + bytes(byte ^ (1 << random.randrange(8)) for byte in data[at : at + 1]) + data[at + 1 :]


def byte(data: bytes, random: Random) -> bytes:
    """Any byte."""
    at = place_in(data, random)
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def integer(data: bytes, random: Random) -> bytes:
    """An extreme integer, or one next to what stands there, of 2, 4 or 8 bytes in either order."""
    size, order = random.choice((2, 4, 8)), random.choice(("little", "big"))
    at = place_in(data, random)
    at -= at % random.choice((1, 2, 4))
    there = int.from_bytes(data[at : at + size], order)
    value = random.choice(EXTREME) if random.random() < 0.7 else there + random.choice((-1, 1, 8, -8, there))
    return data[:at] + (value % (1 << (8 * size))).to_bytes(size, order) + data[at + size :]


def real(data: bytes, random: Random) -> bytes:
    """A floating point number that no length is."""
    kind = random.choice(["<f", "<d", ">f", ">d"])
    value = random.choice((float("nan"), float("inf"), -1.0, 0.0, 1e38, 1e-38))
    at = place_in(data, random) // 4 * 4
    return data[:at] + struct.pack(kind, value) + data[at + struct.calcsize(kind) :]


def block(data: bytes, random: Random) -> bytes:
    """A block removed, doubled, exchanged with its neighbour, or zero."""
    at, size = place_in(data, random), random.choice((1, 4, 8, 44, 128, 512, max(1, len(data) // 3)))
    one, other, behind = data[at : at + size], data[at + size : at + 2 * size], data[at + 2 * size :]
    middle = random.choice((other, one + one + other, other + one, bytes(len(one)) + other))
    return data[:at] + middle + behind


def text(data: bytes, random: Random) -> bytes:
    """A word, number or sign replaced by another: most formats have text somewhere."""
    found = [*re.finditer(rb"-?\d+\.?\d*|[A-Za-z_]{2,40}|[,;:=<>\"'\[\]{}-]", data[:100_000])]
    if not found:
        return byte(data, random)
    hit = random.choice(found)
    return data[: hit.start()] + random.choice((*WORDS, random.choice(found)[0])) + data[hit.end() :]


def insert(data: bytes, random: Random) -> bytes:
    """Some bytes more."""
    at = place_in(data, random)
    return data[:at] + random.choice((*WORDS, random.randbytes(4), bytes(64))) + data[at:]


KINDS: tuple[Callable[[bytes, Random], bytes], ...] = (
    cut,
    flip,
    byte,
    integer,
    integer,
    real,
    block,
    text,
    text,
    insert,
)


def within_gzip(data: bytes, random: Random) -> bytes | None:
    """Damage of what a gzip file holds; None if it is none."""
    return gzip.compress(damaged(gzip.decompress(data), random), 1, mtime=0) if data[:2] == b"\x1f\x8b" else None


def within_zip(data: bytes, random: Random) -> bytes | None:
    """Damage of one file of a zip archive, such as a workbook; None if it is none."""
    if data[:4] != b"PK\x03\x04":
        return None
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as new,
    ):
        hit = random.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            if name != hit:
                new.writestr(name, content)
            elif random.random() < 0.95:  # or it is left out
                new.writestr(name, damaged(content, random))
    return out.getvalue()


def within_matlab(data: bytes, random: Random) -> bytes | None:
    """Damage of a compressed variable of a MATLAB file; None if there is none."""
    if data[:6] != b"MATLAB" or data[128:132] != struct.pack("<I", 15):
        return None
    packed = zlib.compress(damaged(zlib.decompress(data[136:]), random))
    return data[:128] + struct.pack("<II", 15, len(packed)) + packed
