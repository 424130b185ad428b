"""Catalog classes over `io`: a load returns what a save took."""
