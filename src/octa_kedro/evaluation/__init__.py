"""Predictions in, judgement out: metrics with intervals, tables, the linear floor, and figures."""
