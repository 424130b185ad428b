"""A folder per eye, named by it, with what a reader takes away: image, map, map over the raw scan, figure, facts."""

import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from octa_kedro.explain.drawing import was_mirrored
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.overlay import plane_figure, volume_figure
from octa_kedro.explain.target import evidence_for
from octa_kedro.inference.familiarity import STRANGE, UNKNOWN
from octa_kedro.inference.making import LAYER, SLABS
from octa_kedro.io.files import replacing, write_text
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.restore import map_over_scan
from octa_kedro.results.code import code_of
from octa_kedro.results.keys import hash_of
from octa_kedro.results.named import place_named
from octa_kedro.results.stored import Stored

"""There is no other eye to share a scale with, and the reader must know: its own maximum may be next to nothing."""
TITLE_WIDTH = 130
FILES = "files"


@dataclass(frozen=True)
class Found:
    """What was made of all eyes, by subject: their maps, and what these are drawn over and carried back by."""

    readings: Mapping[str, Stored]
    volumes: Mapping[str, Stored]
    enface: Mapping[str, Stored]
    surfaces: Mapping[str, Stored] = field(default_factory=dict)
    flattening: Mapping[str, Stored] = field(default_factory=dict)

    def image(self, subject: str) -> Stored:
        """What the networks saw of the eye."""
        flat = "names" in self.readings[subject].meta
        return (self.enface if flat else self.volumes)[subject]

    def parts(self, subject: str) -> dict[str, Stored]:
        """All there is of an eye, by kind."""
        kinds = ("readings", "volumes", "enface", "surfaces", "flattening")
        return {kind: getattr(self, kind)[subject] for kind in kinds if subject in getattr(self, kind)}


@dataclass(frozen=True)
class EyeFolder:
    """What goes into the folder of one eye; `key` changes with anything that its files depend on.

    `over_scan` makes the map on the raw scan's grid, `draw` the figure: both are made only if they are not there.
    """

    key: str
    facts: Mapping[str, Any]
    image: Stored
    heat: Stored
    over_scan: Callable[[], Volume | PlaneStack]
    draw: Callable[[], Figure]


def write_eye(folder: Path, eye: EyeFolder, previous: Path | None = None) -> bool:
    """Fill `folder`, named by its eye, with ``<subject>_image.nii.gz``, ``_map.nii.gz``, ``_map_over_scan.nii.gz``,
    ``.png`` and ``.json``, which comes last; whether anything had to be made.

    A `previous` folder of the same eye with the same key, whose files are as they were written, has them shared
    instead. The JSON has their hashes.
    """
    subject = folder.name
    if previous is not None and (files := _files_of(previous, eye)) is not None:
        for name in files:
            place_named(previous / name, folder / name)
        return False
    place_named(eye.image.whole(), folder / f"{subject}_image.nii.gz")
    place_named(eye.heat.whole(), folder / f"{subject}_map.nii.gz")
    over = eye.over_scan()
    write_nifti(folder / f"{subject}_map_over_scan.nii.gz", over.array, over.affine)
    with replacing(folder / f"{subject}.png") as partial_path:
        eye.draw().savefig(partial_path, format="png")
    hashes = {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.suffix != ".json"}
    write_text(folder / f"{subject}.json", json.dumps({"key": eye.key, FILES: hashes, **eye.facts}, indent=1))
    return True


def _files_of(folder: Path, eye: EyeFolder) -> list[str] | None:
    """The names of the files of an eye's folder, its JSON the last; None unless that says what is to be said of the
    eye, and all are as they were written."""
    note = folder / f"{folder.name}.json"
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        hashes = dict(told[FILES])
        same = told == json.loads(json.dumps({"key": eye.key, FILES: hashes, **eye.facts}))
        whole = same and all(sha256_of(folder / name) == sha for name, sha in hashes.items())
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return [*hashes, note.name] if whole else None


def eye_folders(found: Found, report: Mapping[str, Any]) -> dict[str, EyeFolder]:
    """The folder of every eye of a report (`prediction_table.write_report`)."""
    code, networks = code_of(_draw, _over_scan).digest, [one["weights_sha256"] for one in report["networks"]]
    folders = {}
    for subject, said in report["eyes"].items():
        facts = {"subject": subject, "networks": networks, **said}
        made_of = {kind: stored.sha256 for kind, stored in found.parts(subject).items()}
        folders[subject] = EyeFolder(
            hash_of(step="folder", facts=facts, made_of=made_of, code=code),
            facts,
            found.image(subject),
            found.readings[subject],
            partial(_over_scan, found, subject),
            partial(_draw, found, subject, title_of(facts)),
        )
    return folders


def title_of(facts: Mapping[str, Any]) -> str:
    """What is said of an eye, and in further lines what speaks against it."""
    share = facts[f"probability_{facts['predicted']}"]
    lines = [f"{facts['subject']}: {facts['predicted']}, p = {share:.2f}"]
    if facts["networks_read"] > 1:
        lines[0] += f" ({facts['lowest']:.2f} to {facts['highest']:.2f} over {facts['networks_read']} networks)"
    if facts["familiar"] == STRANGE:
        lines.append(f"NOT LIKE THE TRAINING EYES: {facts['unfamiliar_in']}")
    elif facts["familiar"] == UNKNOWN:
        lines.append("whether it is like the training eyes is unknown")
    if facts["learnt_from_copy"]:
        lines.append(f"A NETWORK HAS LEARNT FROM THIS IMAGE, or nearly this one, as {facts['learnt_from_copy']}")
    elif facts["learnt_from_this_subject"]:
        lines.append("A NETWORK HAS LEARNT FROM THIS EYE, or the other one of its patient")
    if facts["quality"]:
        lines.append(f"beyond the limits of quality: {facts['quality']}")
    return "\n".join(textwrap.shorten(line, TITLE_WIDTH, placeholder=" ...") for line in lines)


def _draw(found: Found, subject: str, title: str) -> Figure:
    image, heat = found.image(subject)(), found.readings[subject]()
    method = METHODS[found.readings[subject].meta[LAYER]["method"]].title
    common: dict[str, Any] = {
        "title": title,
        "scale": float(heat.array.max()),
        "unit": f"{method}, raw, on this eye's own scale ({evidence_for(found.readings[subject].meta)})",
        "mirrored": was_mirrored(found.image(subject)),
    }
    if isinstance(image, Volume):
        enface, surfaces = (own[subject]() if subject in own else None for own in (found.enface, found.surfaces))
        return volume_figure(image, heat, enface, surfaces, None, **common)
    shown = image.only(tuple(found.readings[subject].meta[SLABS]))
    return plane_figure(shown, heat, **common)


def _over_scan(found: Found, subject: str) -> Volume | PlaneStack:
    return map_over_scan(found.readings[subject], found.image(subject), found.flattening.get(subject))
