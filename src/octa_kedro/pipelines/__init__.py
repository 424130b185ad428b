"""Wiring only: each folder has nodes (a few lines each) and the pipeline that connects them."""
