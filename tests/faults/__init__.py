"""Named faults of an ordinary day, and what a run has to do about each: `harness.Fault` says how to read the tables."""
