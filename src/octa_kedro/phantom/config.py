"""Settings of the synthetic cohort: its subjects, the severity of their diseases, and the quality of their scans."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from octa_kedro.config import Config
from octa_kedro.io.octa500 import DEPTH_MM, Disease
from octa_kedro.phantom.eye_config import AnatomyConfig, SignalConfig, VesselConfig
from octa_kedro.phantom.lesions.config import LesionConfig, require_fit
from octa_kedro.phantom.ranges import PositiveSpan, Span

FieldOfView = Literal["3mm", "6mm"]
PoorKind = Literal["motion", "low_signal", "tilt"]
Share = Annotated[float, Field(ge=0, le=1)]

FIELD_MM: dict[FieldOfView, float] = {"3mm": 3.0, "6mm": 6.0}
FIELD_OF_MM: dict[float, FieldOfView] = {width: name for name, width in FIELD_MM.items()}
FIRST_ID: dict[FieldOfView, int] = {"6mm": 10001, "3mm": 10301}
LAST_ID: dict[FieldOfView, int] = {"6mm": 10300, "3mm": 10500}
MIN_LATERAL, MIN_DEPTH = 24, 96
"""With fewer A-scans than this no lesion is visible; with fewer voxels in depth the thinnest layers vanish."""
OCTA500: dict[Disease, tuple[int, int]] = {
    "NORMAL": (160, 91),
    "AMD": (6, 43),
    "CNV": (5, 11),
    "CSC": (0, 14),
    "DR": (29, 35),
    "RVO": (0, 10),
    "OTHERS": (0, 96),
}
"""Numbers of eyes in OCTA-500 that were scanned 3 mm and 6 mm wide."""
OLDEST = 120.0
# These affect an eye only through its row of the table.
_COHORT_FIELDS = {
    *("subjects", "share_6mm", "fov_tie", "ages", "female_share", "severity", "poor_share", "poor_kinds", "labels"),
    *("shapes", "workers"),
}


class PhantomConfig(Config):
    """A whole synthetic cohort; equal configs give equal bytes, whatever `workers` is."""

    seed: Annotated[int, Field(ge=0)] = 1
    subjects: dict[Disease, int | dict[FieldOfView, int]] = Field({"NORMAL": 16, "DR": 16, "CNV": 16})
    """Eyes of each disease: a number, or one per field of view. None removes a disease set by another environment."""
    shapes: dict[FieldOfView, tuple[int, int, int]] = Field({"3mm": (76, 76, 256), "6mm": (100, 100, 256)})
    """Voxels (x, y, z) of a scan; laterally, the defaults are a quarter of the release's 304 and 400."""
    share_6mm: Share = 0.5
    """Share of the eyes of each disease that are scanned 6 x 6 mm wide; the others 3 x 3 mm."""
    fov_tie: Share = 0.0
    """At 0 all diseases have the same share of 6 mm scans; at 1 each has its share in OCTA-500; between, a mixture."""
    ages: PositiveSpan | dict[Disease, PositiveSpan] = (25.0, 80.0)
    female_share: Share = 0.5
    severity: Span = (0.7, 1.0)
    """Range over diseased eyes, spread evenly within each disease; 0 is healthy, at 1 the ranges in `lesions` hold."""
    poor_share: Share = 0.0
    """Share of poor scans among the eyes of each disease."""
    poor_kinds: tuple[PoorKind, ...] = ("motion", "low_signal", "tilt")
    labels: Literal["true", "random"] = "true"
    """`random` shuffles the diseases in the label sheet, so that labels are independent of the images."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Processes that make eyes; None is one per core. The result does not depend on it."""
    anatomy: AnatomyConfig = AnatomyConfig()
    vessels: VesselConfig = VesselConfig()
    lesions: LesionConfig = LesionConfig()
    signal: SignalConfig = SignalConfig()

    def share_of_6mm(self, disease: Disease) -> float:
        """Share of a disease's eyes that are scanned 6 mm wide."""
        counts = self.subjects[disease]
        if not isinstance(counts, int):
            return counts.get("6mm", 0) / max(sum(counts.values()), 1)
        narrow, wide = OCTA500[disease]
        return (1 - self.fov_tie) * self.share_6mm + self.fov_tie * wide / max(narrow + wide, 1)

    def count(self, disease: Disease) -> int:
        """Eyes of a disease, of both fields of view."""
        counts = self.subjects[disease]
        return counts if isinstance(counts, int) else sum(counts.values())

    def age_range(self, disease: Disease) -> tuple[float, float]:
        """Lowest and highest age of a disease, in years."""
        return self.ages[disease] if isinstance(self.ages, dict) else self.ages

    def eye_settings(self, fov_mm: float) -> dict[str, Any]:
        """What an eye of this field of view depends on besides its row, as plain values; no settings of the cohort."""
        settings = self.model_dump(mode="json", exclude=_COHORT_FIELDS)
        return settings | {"shape": self.shapes[FIELD_OF_MM[fov_mm]]}

    @field_validator("subjects", mode="before")
    @classmethod
    def _without_none(cls, value: object) -> object:
        return {word: n for word, n in value.items() if n is not None} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_subjects()
        self._check_fields_of_view()
        self._check_people()
        self._check_anatomy()
        require_fit(self.lesions, self.anatomy)
        return self

    def _check_subjects(self) -> None:
        if not self.subjects:
            raise ValueError("subjects: at least one disease is needed")
        for disease, counts in self.subjects.items():
            given = [counts] if isinstance(counts, int) else [*counts.values()]
            if min(given, default=0) < 0 or sum(given) < 1:
                raise ValueError(
                    f"subjects.{disease}: {counts} is not a number of eyes; give at least 1, or null to leave it out"
                )
            if self.fov_tie and not isinstance(counts, int):
                raise ValueError(
                    f"fov_tie: {self.fov_tie} cannot be used if subjects.{disease} gives a number for each field of"
                    " view; set it to 0 or give one number"
                )
        if self.labels == "random" and len(self.subjects) < 2:
            raise ValueError("labels: random needs at least two diseases in subjects, or there is nothing to shuffle")

    def _check_fields_of_view(self) -> None:
        if not self.shapes:
            raise ValueError("shapes: at least one field of view is needed")
        for field_of_view, (x, y, z) in self.shapes.items():
            if min(x, y) < MIN_LATERAL or z < MIN_DEPTH:
                raise ValueError(
                    f"shapes[{field_of_view}]: {(x, y, z)} is too small, at least"
                    f" {(MIN_LATERAL, MIN_LATERAL, MIN_DEPTH)} is needed"
                )
        wide = math.fsum(self.share_of_6mm(disease) * self.count(disease) for disease in self.subjects)
        expected: dict[FieldOfView, float] = {"6mm": wide, "3mm": sum(map(self.count, self.subjects)) - wide}
        for name, eyes in expected.items():
            first, last = FIRST_ID[name], LAST_ID[name]
            # of an odd number of eyes, one may get either field of view; 1e-6 allows for rounding errors
            if eyes > 1e-6 and name not in self.shapes:
                raise ValueError(f"shapes: {name} is missing, but subjects, share_6mm and fov_tie ask for such scans")
            if math.ceil(eyes - 1e-6) > last - first + 1:
                raise ValueError(f"subjects: {eyes:g} eyes of {name}, more than there are IDs from {first} to {last}")

    def _check_people(self) -> None:
        for disease in self.subjects:
            if isinstance(self.ages, dict) and disease not in self.ages:
                raise ValueError(f"ages: no range for {disease}, which is among the subjects")
            if self.age_range(disease)[1] > OLDEST:
                raise ValueError(f"ages: {self.age_range(disease)} goes beyond {OLDEST:g} years")
        if self.severity[0] < 0 or self.severity[1] > 1:
            raise ValueError(f"severity: {self.severity} leaves the range from 0 to 1")
        if self.poor_share and not self.poor_kinds:
            raise ValueError(f"poor_kinds: at least one is needed where poor_share is {self.poor_share}")

    def _check_anatomy(self) -> None:
        smallest_field = min(FIELD_MM.values())
        diameter = 2 * math.sqrt(self.anatomy.faz_area_mm2[1] / math.pi)
        if diameter > smallest_field / 2:
            raise ValueError(
                f"anatomy.faz_area_mm2: {self.anatomy.faz_area_mm2[1]} mm2 ({diameter:.2f} mm wide)"
                f" is too large for a field of {smallest_field} mm"
            )
        deepest = self.anatomy.ilm_depth_mm[1] + self.anatomy.thickness_um[1] / 1000
        if deepest > DEPTH_MM - 0.3 or self.anatomy.ilm_depth_mm[0] < 0.3:
            raise ValueError(
                f"anatomy.ilm_depth_mm: 0.3 mm of the scan's {DEPTH_MM} mm must stay free above and below the retina"
            )
