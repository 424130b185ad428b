"""Synthetic OCT and OCTA eyes with known layers and lesions; no disease shows anywhere but in its lesion."""

from octa_kedro.phantom.cohort import make_eye, plan_cohort
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye

__all__ = ["PhantomConfig", "PhantomEye", "make_eye", "plan_cohort"]
