"""Damaged files for every reader: quick in `tests/io/test_damaged.py`, for minutes by `benchmarks.fuzz_readers`."""
