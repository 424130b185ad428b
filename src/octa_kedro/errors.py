"""The errors that are the input's fault: each message names the file, subject or parameter at fault and the remedy."""

import errno
import shutil
from collections.abc import Iterator
from typing import NamedTuple


class OctaError(Exception):
    """Base of every error that is the input's fault; the command line and notebooks show it as one line."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"ERROR: {self}"]


class DataError(OctaError):
    """A file, folder or table does not hold what its format promises."""


class DamagedError(DataError):
    """The bytes of a file are at fault, whatever a parser raised at them: another try will not fare better."""


class StaleError(DataError):
    """A stored result is gone or no longer what was written: it has to be made again, whatever the eye's scan is."""


class DivergedError(DataError):
    """A loss, gradient or prediction is no longer finite: other parameters may do better with the same data."""


class ConfigError(OctaError):
    """A parameter is unknown, out of range, or disagrees with the data or with another parameter."""


class CheckpointError(OctaError):
    """A checkpoint is missing, incomplete, or does not fit the network it is loaded into."""


class LeakError(OctaError):
    """Subjects that must stay apart (training against test) overlap."""


PASSING = {
    errno.EACCES: "allow this user to read and write there",
    errno.EPERM: "allow this user to read and write there",
    errno.EROFS: "the file system is read-only; give the project a folder that can be written",
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space: the quota of this user is used up",
    errno.EEXIST: "what stands there is no folder (a file, or a link that leads nowhere); move it away",
    errno.ENOTDIR: "what stands there is no folder; move it away, or correct the path",
    errno.EFBIG: "the file system, or the quota of this user, takes no file of that size; use another disk",
    errno.ENOMEM: "free memory, or work on fewer eyes at a time (execution.workers)",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close other programs: the machine has too many open files",
    errno.EIO: "the disk or the network reports an error; try again",
    errno.EBUSY: "another program holds it; close that program, or try again",
    **dict.fromkeys(
        (
            errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.EHOSTUNREACH,
            errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNABORTED,
        ),
        "the drive has gone away; connect it again",
    ),
    errno.ETIMEDOUT: "the network drive does not answer; connect it again",
}  # fmt: skip
"""Errors of the machine, not of the data, by number, and what helps against them."""


NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "could not create a memory object")
"""What torch says in a RuntimeError, of which its own error for devices is one, where memory does not suffice."""
SMALLER = "free memory on that device, or lower batch_size or processing.grid, or set device to cpu"

LOST_WORKER = ("TerminatedWorkerError", "BrokenProcessPool", "BrokenExecutor")
LOST_LOADER = ("DataLoader worker", "unable to open shared memory", "unable to allocate shared memory")
"""The errors of pools of processes, by name, and what torch says of its own, where a worker has ended."""
SHARED = "/dev/shm"
LOST = "a worker process was ended, or had no memory to share"
FEWER = (
    "finished work is kept: run again, with fewer processes (execution.workers, workers of the model) if memory or "
    "/dev/shm is full"
)

NO_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""With these no other eye would fare better."""


class MachineFault(NamedTuple):
    """What is wrong with the machine (permission, space, memory), and the remedy; whether it concerns all eyes."""

    words: str
    everywhere: bool


def machine_fault(error: BaseException | None) -> MachineFault | None:
    """The fault of the machine that `error` comes from, if it comes from one. It passes: it says nothing about data."""
    for one in causes(error):
        if isinstance(one, MemoryError):
            told = f" ({one})" if str(one) else ""
            return MachineFault(f"not enough memory{told}; {PASSING[errno.ENOMEM]}", False)
        if lacks_memory(one):
            return MachineFault(f"not enough memory ({str(one).partition('. ')[0].strip()}); {SMALLER}", False)
        if lost_worker(one):
            return MachineFault(f"{LOST} ({str(one).partition('. ')[0].partition(chr(10))[0].strip()}); {FEWER}", False)
        if isinstance(one, OSError) and one.errno in PASSING:
            return MachineFault(_passing_words(one), one.errno in NO_WRITING)
        if isinstance(one, TimeoutError):  # some have no number
            return MachineFault(f"{one or 'a time limit was passed'}; {PASSING[errno.ETIMEDOUT]}", False)
    return None


def _passing_words(error: OSError) -> str:
    """The place, if the system names one, what is wrong there, and the remedy."""
    if error.errno == errno.ENOSPC and error.filename is None and _is_full(SHARED):
        return f"{SHARED}, by which processes share memory: {error.strerror}; {FEWER}"
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}{error.strerror}; {PASSING[error.errno or 0]}"


def _is_full(folder: str) -> bool:
    """Whether no space is left there; False where there is no such folder."""
    try:
        return shutil.disk_usage(folder).free < 1 << 16
    except OSError:
        return False


def lacks_memory(error: BaseException) -> bool:
    """Whether Python or torch had not enough memory, of the machine or of a device."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sign in text for sign in NO_MEMORY)


def lost_worker(error: BaseException) -> bool:
    """Whether a worker process of a pool or of a DataLoader was ended from outside, or could not share its memory."""
    if type(error).__name__ in LOST_WORKER:
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in LOST_LOADER)


def may_pass(error: BaseException | None) -> bool:
    """Whether another try may fare better with the same bytes: a fault of the machine, a file that is not there, a
    library that is not installed, or a stored result that has to be made again led to `error`."""
    kinds = (FileNotFoundError, NotADirectoryError, ImportError, StaleError)
    return machine_fault(error) is not None or any(isinstance(one, kinds) for one in causes(error))


def user_error(error: BaseException | None) -> OctaError | None:
    """The OctaError that led to `error`, if one did: Kedro wraps what a dataset raises."""
    return next((one for one in causes(error) if isinstance(one, OctaError)), None)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what led to it; what a parser raised at damaged bytes (such as a lack of memory) does not count."""
    while error is not None:
        yield error
        error = None if isinstance(error, DamagedError) else error.__cause__ or error.__context__
