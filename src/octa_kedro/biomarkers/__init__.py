"""What clinicians measure in an OCTA scan, eye by eye, in physical units.

`definitions` is the one list of all measures, with their units and sources; `eye` measures one eye, from the scan as
the device sampled it (a processed volume is too coarse for capillaries and shows only its centre). Every grey level is
relative to its own map, so that gain and unit of the scan do not matter. What a scan cannot show is NaN, with a reason.
"""
