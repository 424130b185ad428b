"""The frozen configuration of an evaluation."""

from typing import Literal

from pydantic import Field

from octa_kedro.config import Config
from octa_kedro.errors import ConfigError


class EvaluationConfig(Config):
    """Decision threshold, bootstrap and comparisons; an unknown key or a value out of bounds is an error."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    threshold_rule: Literal["fixed", "youden", "sensitivity", "cost"] = "fixed"
    target_sensitivity: float = Field(default=0.9, gt=0, le=1)
    cost_ratio: float = Field(default=1.0, gt=0)
    prevalence: float | None = Field(default=None, gt=0, lt=1)
    # A resample holds one number per eye, so the upper bound also bounds the memory.
    resamples: int = Field(default=1000, ge=100, le=10_000)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=0, ge=0)
    auroc_interval: Literal["bootstrap", "delong"] = "delong"
    margin: float = Field(default=0.05, gt=0, lt=0.5)

    def stated_threshold(self) -> float:
        """The threshold for eyes that no evaluation has judged; ConfigError where a rule would have to choose it."""
        if self.threshold_rule != "fixed":
            raise ConfigError(
                f"evaluation.threshold_rule is {self.threshold_rule}, and new eyes have no labels to choose by; set "
                "evaluation.threshold to the model's threshold in metrics.csv, and evaluation.threshold_rule to fixed"
            )
        return self.threshold
