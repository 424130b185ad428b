"""The smallest project whose default run has all the mission's steps, and what two ends of it have in common."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from octa_kedro.running.upkeep import VERSION

ROOT = Path(__file__).parents[2]
ENVIRONMENT = "test"
STRUCTURE = {"folds": 2, "explain": ["training_3d"], "models": {"training_3d": 3, "training_2d": 2}}
PARAMETERS: dict[str, Any] = {
    "phantom": {
        "subjects": {"NORMAL": 4, "DR": 4, "CNV": None},
        "shapes": {"3mm": [24, 24, 96], "6mm": [28, 28, 96]},
        "share_6mm": 0.0,
    },
    "training_3d": {"save_seconds": 0},
    "training_2d": {"save_seconds": 0},
}
LEFT_OUT = "training_2d_two_slabs"
TEXT = {".json", ".csv", ".md", ".txt", ".html", ".js"}
SECONDS, MEMORY = "seconds", "memory_gib"
MEASURED = [SECONDS, MEMORY]
"""Columns of a history that no repetition repeats."""
OF_MEASURED = re.compile(r"(history.*|.*\.html)\.seal\.json")
"""Seals with a hash of those columns, or of the names of versions that a page links to."""
STATE, FINGERPRINTS = "state.safetensors", "fingerprints"
"""The state of a training, which holds those columns, and the folder of remembered hashes."""


def new_project(folder: Path) -> Path:
    """Configuration without data."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "src").mkdir()
    (folder / "conf" / "local").mkdir()
    (folder / "conf" / ENVIRONMENT / "structure.yml").unlink()
    _join(folder / "conf" / "base" / "structure.yml", STRUCTURE)
    _without(folder / "conf" / "base" / "parameters_training.yml", LEFT_OUT)
    _without(folder / "conf" / ENVIRONMENT / "parameters.yml", LEFT_OUT)
    _join(folder / "conf" / ENVIRONMENT / "parameters.yml", PARAMETERS)
    return folder


def project_with_phantom(folder: Path) -> Path:
    """One whose phantom is written but for one eye; to be called in a child."""
    run(project := new_project(folder), pipeline_names=["phantom"])
    min((project / "data" / ENVIRONMENT / "01_raw/phantom/.written").glob("*.json")).unlink()
    for path in (project / "data" / ENVIRONMENT).glob("0[2-8]_*"):
        shutil.rmtree(path)
    return project


def _join(path: Path, more: Mapping[str, Any]) -> None:
    there = yaml.safe_load(path.read_text())
    for key, value in more.items():
        there[key] = there.get(key, {}) | value if isinstance(value, dict) and key != "models" else value
    path.write_text(yaml.safe_dump(there))


def _without(path: Path, group: str) -> None:
    there = yaml.safe_load(path.read_text())
    there.pop(group, None)
    path.write_text(yaml.safe_dump(there))


def run(project: Path, *, env: str = ENVIRONMENT, params: dict[str, Any] | None = None, **what: Any) -> None:
    """Run pipelines as `kedro run` does, in this process."""
    os.chdir(project)
    bootstrap_project(project)
    with KedroSession.create(project, env=env, runtime_params=params) as session:
        session.run(**what)


def end_of(project: Path, env: str = ENVIRONMENT) -> dict[str, str]:
    """What a run has left in a data root: a hash of each file, by path.

    Of a dataset with versions the newest counts. What may differ between two runs is left out: names of versions, the
    folder of the project, the columns `MEASURED`, the content of what
    holds or shows those, and remembered hashes, whose names and content are of places and times of files.
    """
    root = project / "data" / env
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.parent.name != FINGERPRINTS)
    newest: dict[tuple[str, ...], str] = {}
    for path in files:
        for before, version in _versions(path.relative_to(root)):
            newest[before] = max(version, newest.get(before, ""))
    ends = {}
    for path in files:
        place = path.relative_to(root)
        versions = _versions(place)
        if all(newest[before] == version for before, version in versions):
            name = "/".join("VERSION" if VERSION.fullmatch(part) else part for part in place.parts)
            ends[name] = hashlib.sha256(_meaning(path, project)).hexdigest()
    return ends


def _versions(place: Path) -> list[tuple[tuple[str, ...], str]]:
    return [(place.parts[:number], part) for number, part in enumerate(place.parts) if VERSION.fullmatch(part)]


def _meaning(path: Path, project: Path) -> bytes:
    """The bytes of a file without what may differ."""
    history = path.suffix in {".png", ".svg"} and path.name.startswith(
        "history"
    )  # its title has the seconds of an epoch
    if path.name == STATE or history:
        return b""
    if path.suffix == ".safetensors":  # which has its metadata in another order each time
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        return json.dumps(json.loads(content[8:start]), sort_keys=True).encode() + content[start:]
    if path.suffix not in TEXT:
        return path.read_bytes()
    text = VERSION.sub("VERSION", path.read_text()).replace(str(project), "PROJECT")
    if path.name == "history.csv":
        return pd.read_csv(path).drop(columns=MEASURED).to_csv().encode()
    if path.suffix == ".json" and (content := json.loads(text)) and content.keys() >= {"sha256", "content"}:
        plain = content["content"]  # its own hash is of the version, too
        if OF_MEASURED.match(path.name):
            made_from = {name: sha for name, sha in plain["made_from"].items() if not name.endswith(".history")}
            plain = {key: value for key, value in plain.items() if key != "sha256"} | {"made_from": made_from}
        return json.dumps(plain, sort_keys=True).encode()
    return text.encode()


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The files in which two ends differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
