"""Deep learning on OCT angiography volumes, as a Kedro project."""

import os

# A thread of one operation that waits for the others looks for them some microseconds and then sleeps. By default it
# looks on for milliseconds, which makes two processes that share cores ten times slower; asleep at once, a third of the
# speed on a machine of one's own is lost. OpenMP reads this when torch is imported, so it is said here.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
