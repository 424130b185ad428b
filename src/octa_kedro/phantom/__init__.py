"""Synthetic OCT and OCTA eyes with known layers, vessels and lesions.

Drawn in millimetres from the fovea, so that one eye can be scanned with any field of view on any grid. What disease
changes lies in its mask, but for what follows from a lesion: swelling around fluid, the retina lifted by what lies
under it, the dilated veins of an occlusion.
"""
