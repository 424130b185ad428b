"""Synthetic OCT and OCTA eyes with known layers, vessels and lesions.

Everything is drawn in millimetres from the fovea, so that one eye can be scanned with any field of view on any grid.
The lesion mask covers what a disease changes, except the consequences of a lesion: swelling around fluid, a retina that
is lifted by what lies under it, and the dilated veins of an occlusion.
"""
