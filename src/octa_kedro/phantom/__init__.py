"""Synthetic OCT and OCTA eyes with known layers, vessels and lesions.

Drawn in millimetres from the fovea, so that one eye can be scanned with any field of view on any grid. What disease
changes lies in its mask, but for what follows from a lesion: swelling around fluid, the retina lifted by what lies
under it, the dilated veins of an occlusion.
"""

from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye

__all__ = ["PhantomConfig", "PhantomEye", "make_eye", "plan_cohort"]
