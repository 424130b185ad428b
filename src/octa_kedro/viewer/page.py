"""The page: a folder of files that any browser opens from the disk, without a server or a network.

Browsers let no page read files beside it, but they load scripts. So each eye is a script of its own, with its volumes
in base64, and is loaded when it is looked at.
"""

import base64
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain.titles import ends_of_x
from octa_kedro.io.files import relative_link, replacing, unfinished_name
from octa_kedro.viewer.config import ViewerConfig
from octa_kedro.viewer.encode import encode_eye
from octa_kedro.viewer.eye import ViewedEye
from octa_kedro.viewer.niivue import niivue_script

TEMPLATE = ("index.html", "viewer.css", "viewer.js", "volumes.js", "table.js")
PAGE = "index.html"
BACK = "back.js"


def write_viewer(
    folder: Path,
    eyes: Iterable[ViewedEye],
    config: ViewerConfig | None = None,
    *,
    title: str = "Where the network looks",
    findings: Mapping[int, str] | None = None,
    note: str = "",
) -> Path:
    """Write the page into `folder`, replacing what is there, and return the path of its ``index.html``.

    Eyes are taken one at a time, so that memory does not grow with their number; the folder appears when all is
    written. `findings` names the codes of lesion masks; `note` is a sentence shown under the title, for example of
    the method. ``index.html#eye=SUBJECT`` opens at that eye. ConfigError without the extra `viewer`, DataError
    without eyes, for a subject that comes twice, or for a `folder` that holds anything but such a page.
    """
    script = niivue_script()
    with _replaced_folder(folder) as partial:
        rows: list[dict[str, Any]] = []
        for number, eye in enumerate(eyes, 1):
            file = f"eyes/{number:04d}.js"
            rows.append(_row(eye) | {"file": file})
            _write_eye(partial / file, eye)
        _check(folder, rows)
        about = {
            "title": title,
            "note": note,
            "settings": (config or ViewerConfig()).model_dump(),
            "findings": dict(findings or {}),
            "strongest": max(row["strongest"] for row in rows),
            "eyes": rows,
        }
        _write(partial / "eyes.js", f"window.VIEWER = {_literal(about)};\n")
        _write(partial / BACK, _back_to(None))
        _write(partial / "niivue.js", script)
        for name in TEMPLATE:
            _write(partial / name, files(__package__).joinpath("template", name).read_text(encoding="utf-8"))
    return folder / PAGE


def link_back(index: Path, page: Path) -> None:
    """Make the viewer at `index` show a link to `page`, relative, so that both can be moved together. A viewer of an
    earlier version of this package has no place for it and stays as it is."""
    script = index.parent / BACK
    if not script.is_file():
        return
    with replacing(script) as partial:
        partial.write_text(_back_to(relative_link(page, index.parent)), encoding="utf-8")


def _back_to(address: str | None) -> str:
    return f"window.EXPLANATION = {_literal(address)};\n"


def _row(eye: ViewedEye) -> dict[str, Any]:
    """What the table and the controls need to know before the eye is loaded."""
    return {
        "subject": eye.subject,
        "label": eye.label,
        "prediction": _number(eye.prediction),
        "spread": _number(eye.spread),
        "held_out": eye.held_out,
        "scores": {name: _number(value) for name, value in eye.scores.items()},
        "ends": ends_of_x(eye.heat.laterality, eye.heat.frame.mirrored),
        "to_scan": eye.heat.frame.to_scan.tolist(),
        "place_note": eye.heat.frame.note.split(";")[0].removeprefix("position "),
        "strongest": float(np.abs(eye.heat.array).max()),
        "signed": bool((eye.heat.array < 0).any()),
        "images": list(eye.images),
        "lesion": eye.lesion is not None,
        "slabs": list(eye.slabs),
    }


def _number(value: Any) -> Any:
    """What JSON can hold: not-a-number is nothing, numbers of numpy are plain ones."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _write_eye(path: Path, eye: ViewedEye) -> None:
    volumes = {name: base64.b64encode(nifti).decode("ascii") for name, nifti in encode_eye(eye).items()}
    _write(path, f"window.receiveEye({_literal(eye.subject)}, {_literal(volumes)});\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _literal(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _check(folder: Path, rows: list[dict[str, Any]]) -> None:
    if not rows:
        raise DataError(f"{folder}: no eye to show; explain at least one held-out eye")
    seen: set[str] = set()
    for row in rows:
        if row["subject"] in seen:
            raise DataError(f"{folder}: eye {row['subject']} comes twice; each eye is shown once")
        seen.add(row["subject"])


@contextmanager
def _replaced_folder(folder: Path) -> Iterator[Path]:
    """A folder under a temporary name that takes the place of `folder` when the block ends well."""
    if folder.exists() and not (folder / PAGE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: exists and is no viewer; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = unfinished_name(folder)
    old = unfinished_name(folder, "old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if folder.exists():
            folder.replace(old)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
