"""Deep learning on OCT angiography volumes, as a Kedro project."""

__version__ = "0.1.0"
