"""Hyper-parameter search over validation folds; held-out eyes take no part."""
