"""The page of all eyes of a model that have a map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.explain.profile import SLAB_NAMES, slab_labels
from octa_kedro.explain.target import EXPLAINED, EXPLAINED_CLASS
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.stored import Stored
from octa_kedro.viewer.eye import ViewedEye
from octa_kedro.viewer.page import write_viewer

SCORES = ("peak_in_lesion", "peak_in_slab", "voxel_ap", "mass_in_lesion")
INNER = "ILM-OPL"
"""Beside the slabs of `explain.profile`: two of them together, in which lesions of DR lie."""


@dataclass(frozen=True)
class ViewerPage:
    """A page that is written when it is saved, one eye after the other.

    `scores` has a row for each eye (subject, part, disease, probability and SCORES, and `spread` where there is more
    than one network, and `explained`, which is shown where it differs between eyes); volumes, maps, surfaces and lesion
    masks go by subject, the last two where they are known.
    `findings` names the values of the masks.
    """

    scores: pd.DataFrame
    volumes: Mapping[str, Stored]
    maps: Mapping[str, Stored]
    surfaces: Mapping[str, Stored]
    lesions: Mapping[str, Stored]
    title: str
    note: str = ""
    findings: Mapping[int, str] | None = None

    def write(self, folder: Path) -> Path:
        """Fill `folder`; the path of its ``index.html``."""
        return write_viewer(folder, self._eyes(), title=self.title, findings=self.findings, note=self.note)

    def _eyes(self) -> Iterator[ViewedEye]:
        several = EXPLAINED in self.scores and self.scores[EXPLAINED].nunique() > 1
        for row in self.scores.to_dict("records"):
            subject = str(row["subject"])
            heat = self.maps[subject]()
            surfaces = self.surfaces[subject]() if subject in self.surfaces else None
            spread = row.get("spread")
            explained = {"explained class": str(self.maps[subject].meta[EXPLAINED_CLASS])} if several else {}
            yield ViewedEye(
                subject=subject,
                label=str(row["disease"]),
                prediction=float(row["probability"]),
                held_out=row["part"] == "held_out",
                heat=heat,
                octa=self.volumes[subject](),
                lesion=self.lesions[subject]() if subject in self.lesions else None,
                scores=explained | {name: _score(name, row[name]) for name in SCORES},
                slabs=_slabs(surfaces, heat),
                ilm=_ilm(surfaces),
                spread=None if spread is None or pd.isna(spread) else float(spread),
            )


def _score(name: str, value: Any) -> Any:
    """Whether a peak hit is yes or no; other scores are numbers."""
    return bool(value) if name.startswith("peak_in") and not pd.isna(value) else value


def _ilm(surfaces: PlaneStack | None) -> NDArray[np.floating] | None:
    return surfaces.plane("ILM") if surfaces is not None and "ILM" in surfaces.names else None


def _slabs(surfaces: PlaneStack | None, heat: Volume) -> dict[str, NDArray[np.bool_]]:
    """The voxels of each slab that the surfaces bound; the narrowest first."""
    labels = slab_labels(surfaces, heat)
    found = {name: labels == k for k, name in enumerate(SLAB_NAMES)}
    found[INNER] = found["ILM-IPL"] | found["IPL-OPL"]
    return {name: inside for name, inside in found.items() if inside.any()}
