"""`python -m octa_kedro` and the `octa-kedro` command: `kedro run` for an installed package."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run the project's `run` command in the current folder."""
    configure_project(Path(__file__).parent.name)
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(Path(__file__).parent.name)(*args, **kwargs)


if __name__ == "__main__":
    main()
