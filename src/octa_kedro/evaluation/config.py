"""The frozen configuration of an evaluation."""

from pydantic import Field

from octa_kedro.config import Config


class EvaluationConfig(Config):
    """Decision threshold and bootstrap settings; an unknown key or a value out of bounds is an error."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    # A resample holds one number per eye, so the upper bound also bounds the memory.
    resamples: int = Field(default=1000, ge=100, le=10_000)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=0, ge=0)
