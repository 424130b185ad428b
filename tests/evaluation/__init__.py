"""Tests of octa_kedro.evaluation; a package, so that names of test files may recur elsewhere."""
