"""A tiny project with a source of its own, which is edited between runs; and which results each run has left."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from octa_kedro.results.modules import PACKAGE, ROOT
from tests.kills.project import ENVIRONMENT, STRUCTURE, new_project

DATA = Path("data") / ENVIRONMENT
MANIFESTS = {
    "inspections": "02_intermediate/surfaces",
    "volumes": "05_model_input/processed_volumes",
    "en-face maps": "05_model_input/enface_maps",
    "3D maps": "07_model_output/training_3d/maps",
    "2D maps": "07_model_output/training_2d/maps",
}
TRAININGS = {"autoencoder": "pretraining", "3D training": "training_3d", "2D training": "training_2d"}
PARAMETERS = {
    "training_2d": {"patches": {"n": 2, "size": 16}},
    "explainability": {"checked_eyes": 0},
}
OUTPUTS = ",".join(
    [
        *("explainability.training_3d.maps", "explainability.training_2d.maps", "evaluation.metrics"),
        *(f"pretraining.fold_{fold}.checkpoint" for fold in (1, 2)),
    ]
)
"""The mission without what is drawn and reported, which is made anew by every run and takes half of its time."""
Made = dict[str, frozenset[tuple[str, int]]]
"""Of each kind the files in use, with the times at which they were written."""


def project_with_source(folder: Path, source: Path = ROOT) -> Path:
    """A project that computes with its own copy of the package, `source`."""
    project = new_project(folder)
    shutil.copytree(source, project / "src" / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    structure = project / "conf/base/structure.yml"
    explained = STRUCTURE | {"explain": ["training_3d", "training_2d"]}
    structure.write_text(yaml.safe_dump(yaml.safe_load(structure.read_text()) | explained))
    (project / "conf/local/parameters.yml").write_text(yaml.safe_dump(PARAMETERS))
    return project


def kedro_run(project: Path) -> str:
    """The steps of the default mission that keep results, in a process of their own, as a user starts them; what it
    said."""
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--env", ENVIRONMENT, "--to-outputs", OUTPUTS],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src"), "OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def edit(project: Path, module: str, old: str, new: str) -> None:
    """Change one place of the project's source."""
    path = (project / "src" / PACKAGE).joinpath(*module.split(".")).with_suffix(".py")
    text = path.read_text()
    assert text.count(old) == 1, f"{module} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def made(project: Path) -> Made:
    """What the last run has used."""
    root = project / DATA
    found = {kind: _named_by(root / place / "manifest.json") for kind, place in MANIFESTS.items()}
    for kind, place in TRAININGS.items():
        folds = [_last_training(fold / "running") for fold in sorted((root / "06_models" / place).glob("fold_*"))]
        found[kind] = _times(folds)
    return found | {"phantom": _times([*(root / "01_raw").rglob("*.bmp")])}


def _named_by(manifest: Path) -> frozenset[tuple[str, int]]:
    newest = max(manifest.glob("*/manifest.json"))
    entries = json.loads(newest.read_text())["content"].values()
    folder = next(iter(_stores(manifest.parent, entries)))
    return _times([folder / entry["file"] for entry in entries if "file" in entry])


def _stores(place: Path, entries: object) -> list[Path]:
    names = {entry["file"] for entry in entries if "file" in entry}  # type: ignore[attr-defined]
    folders = [place / "files", *(path for path in place.parent.iterdir() if path.is_dir())]
    return [folder for folder in folders if all((folder / name).is_file() for name in names)]


def _last_training(running: Path) -> Path:
    """The weights that the training which ended last has kept."""
    ended = max(running.glob("*/about.json"), key=lambda path: path.stat().st_mtime_ns)
    return max(ended.parent.glob("*.safetensors"))


def _times(paths: list[Path]) -> frozenset[tuple[str, int]]:
    assert paths
    return frozenset((f"{path.parent.name}/{path.name}", path.stat().st_mtime_ns) for path in paths)
