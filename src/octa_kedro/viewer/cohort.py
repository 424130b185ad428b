"""The page of all eyes of a model that have a map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from octa_kedro.preprocessing.slabs import slab_mask
from octa_kedro.results.stored import Stored
from octa_kedro.viewer.eye import ViewedEye
from octa_kedro.viewer.page import write_viewer

SCORES = ("peak_in_lesion", "peak_in_slab", "voxel_ap", "mass_in_lesion")
SLABS = ("ILM_OPL", "OPL_BM")


@dataclass(frozen=True)
class ViewerPage:
    """A page that is written when it is saved, one eye after the other.

    `scores` has a row for each eye (subject, part, disease, probability and SCORES); volumes, maps, surfaces and
    lesion masks go by subject, the last two where they are known. `findings` names the values of the masks.
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
        for row in self.scores.to_dict("records"):
            subject = str(row["subject"])
            heat = self.maps[subject]()
            surfaces = self.surfaces[subject]() if subject in self.surfaces else None
            slabs: dict[str, Any] = {}
            if surfaces is not None:
                slabs = {name: slab_mask(surfaces, name, heat.array.shape, heat.affine) for name in SLABS}
            yield ViewedEye(
                subject=subject,
                label=str(row["disease"]),
                prediction=float(row["probability"]),
                held_out=row["part"] == "held_out",
                heat=heat,
                octa=self.volumes[subject](),
                lesion=self.lesions[subject]() if subject in self.lesions else None,
                scores={name: row[name] for name in SCORES},
                slabs=slabs,
            )
