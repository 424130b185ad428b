"""What the figure of an eye says beside its answer."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from octa_kedro.errors import StaleError
from octa_kedro.inference.folders import EyeFolder, title_of, write_eye
from octa_kedro.io.volume import Volume
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored, write_result

FACTS = {
    "subject": "new", "predicted": "DR", "probability_DR": 0.8, "networks_read": 1, "familiar": "yes", "quality": "",
    "learnt_from_this_subject": False, "learnt_from_copy": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"learnt_from_copy": "10009"}, "\nA NETWORK HAS LEARNT FROM THIS IMAGE, or nearly this one, as 10009"),
        ({"learnt_from_this_subject": True}, "\nA NETWORK HAS LEARNT FROM THIS EYE, or the other one of its patient"),
    ],
)
def test_an_eye_that_was_learnt_from_says_so_under_whatever_name(facts: dict, words: str):
    assert title_of(FACTS | facts) == f"new: DR, p = 0.80{words}"


def folder_of(root: Path, value: float = 0.5) -> EyeFolder:
    """An eye with an image and a map."""
    scan = Volume(np.full((4, 4, 4), value, np.float32), np.eye(4), "OCTA", None, "eye")
    stored = [Stored(path, write_result(path, Result(scan))["sha256"], {}) for path in (root / "i.nii", root / "m.nii")]
    return EyeFolder("key", {"p": 0.25}, *stored, lambda: scan, Figure)


@pytest.mark.parametrize("name", ["e6_image.nii.gz", "e6_map.nii.gz", "e6_map_over_scan.nii.gz", "e6.png", "e6.json"])
def test_a_file_of_an_earlier_folder_that_was_changed_is_not_taken_over(tmp_path: Path, name: str):
    eye, (first, second, third) = folder_of(tmp_path), (tmp_path / v / "e6" for v in "123")
    assert write_eye(first, eye)
    assert not write_eye(second, eye, first)
    content = (second / name).read_bytes()
    (second / name).unlink()  # the files of both are one
    (second / name).write_bytes(content.replace(b"0.25", b"0.75") if name == "e6.json" else content[:-1])
    assert write_eye(third, eye, second)
    assert (third / name).read_bytes() == (first / name).read_bytes()


@pytest.mark.parametrize("which", ["image", "heat"])
def test_a_damaged_image_or_map_is_not_given_away(tmp_path: Path, which: str):
    eye = folder_of(tmp_path)
    path = getattr(eye, which).path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StaleError, match="its bytes have changed since it was written"):
        write_eye(tmp_path / "1" / "e6", eye)
