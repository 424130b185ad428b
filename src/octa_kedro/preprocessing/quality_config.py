"""Limits of quality control."""

from pydantic import Field

from octa_kedro.config import Config


class QualityConfig(Config):
    """Limits ``min_`` and ``max_`` of the measures (see `measure_quality`); null switches one off.

    The defaults are for native scans with 8-bit grey levels. They pass the phantom's good eyes and stop
    nine in ten of its poor ones (`benchmarks/quality_control.py`); real eyes of other devices want other limits.
    """

    min_signal_db: float | None = 12.8
    min_flow_contrast_grey: float | None = Field(2.0, ge=0)
    max_motion_line_share: float | None = Field(0.15, ge=0, le=1)
    max_axial_jitter_um: float | None = Field(4.5, gt=0)
    max_saccade_share: float | None = Field(0.2, ge=0, le=1)
    max_tilt_deg: float | None = Field(3.0, gt=0, le=90)
    max_curvature_um_per_mm2: float | None = Field(40.0, gt=0)
    max_decentration_mm: float | None = Field(0.5, gt=0)
    max_cut_off_share: float | None = Field(0.01, ge=0, le=1)
    max_saturated_share: float | None = Field(0.05, ge=0, le=1)
    max_dark_share: float | None = Field(0.1, ge=0, le=1)
