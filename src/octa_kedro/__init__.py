"""Deep learning on OCT angiography volumes, as a Kedro project."""

import os

# Threads of one operation wait for each other asleep. Spinning gains nothing on a machine of one's own and makes two
# processes that share its cores ten times slower. Read by OpenMP when torch is imported, so it is said here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
