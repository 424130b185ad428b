"""Figures of an evaluation: one file each; every function takes tables, returns a matplotlib Figure, and touches no
global state. `style` has colours and sizes, `shown` what is shown of a predictions table, `bands` the resampled curves.
"""
