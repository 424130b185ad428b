"""What other libraries say while files are read."""

import io
import logging
import pickle
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from joblib import delayed

from octa_kedro.errors import DataError, machine_fault
from octa_kedro.io.boundary import reading
from octa_kedro.io.discreet import DiscreetSource, reading_with
from octa_kedro.io.hushed import hushed, unquoted
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.processes import in_processes


def test_warnings_and_log_lines_of_other_libraries_lose_their_words(caplog):
    with warnings.catch_warnings(record=True) as warned, hushed(lambda words: words.replace("Meier", "e1")):
        warnings.warn("Meier", UserWarning, stacklevel=1)
        logging.getLogger("pydicom.values").warning("Invalid value %s", "Meier")
        logging.getLogger("octa_kedro.io").warning("%s: dark", "Meier.vol")
    logging.getLogger("pydicom").warning("afterwards")
    assert warned == []
    assert caplog.messages == [
        "what pydicom.values says of a file is not shown, since it may hold data of a patient",
        "e1.vol: dark",
        "afterwards",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("invalid literal for int(): 'Meier, A'", "invalid literal for int(): ..."),
        ('b"Meier" is no\n number', "... is no number"),
        ("Unable to allocate 1 TiB", "Unable to allocate 1 TiB"),
    ],
)
def test_what_an_error_quotes_of_a_file_is_not_repeated(words: str, told: str):
    assert unquoted(words) == told
    with pytest.raises(DataError) as error, reading(Path("a.vol")):
        raise ValueError(words)
    assert str(error.value) == f"a.vol: damaged ({told}); copy it again or leave the eye out"


def test_a_fault_of_the_machine_stays_one():
    with pytest.raises(PermissionError) as error, reading_with(lambda words: words.replace("/data/", "")):
        raise PermissionError(13, "Permission denied", "/data/a.vol")
    fault = machine_fault(error.value)
    assert fault is not None
    assert fault.words.startswith("a.vol: Permission denied")


@pytest.mark.parametrize(("free", "words"), [(0, "/dev/shm, by which processes share memory"), (1 << 30, "No space")])
def test_full_shared_memory_is_named_where_the_system_names_nothing(monkeypatch, free: int, words: str):
    monkeypatch.setattr("octa_kedro.errors.shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    fault = machine_fault(OSError(28, "No space left on device"))
    assert fault is not None
    assert fault.words.startswith(words)


def test_a_source_can_be_sent_to_other_processes(tmp_path: Path):
    (tmp_path / "a.nii").touch()
    source = DiscreetSource(NiftiFolder(tmp_path), tmp_path)
    assert pickle.loads(pickle.dumps(source)).subjects() == ["a"]


def say_meier(number: int) -> tuple[int, str]:
    """What is shown of a library's and this package's words in a worker that reads."""
    shown = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(shown)
    with warnings.catch_warnings(record=True) as warned, reading_with(lambda words: words.replace("Meier", "e1")):
        warnings.warn("Meier", UserWarning, stacklevel=1)
        logging.getLogger("pydicom").warning("Meier")
        logging.getLogger("octa_kedro").warning("%s is dark", "Meier")
    return number, f"{warned} {shown.stream.getvalue()}"


def test_workers_hush_too():
    shown = dict(in_processes(2, (delayed(say_meier)(number) for number in range(2))))
    assert set(shown) == {0, 1}
    assert all("e1 is dark" in words and "Meier" not in words for words in shown.values())
