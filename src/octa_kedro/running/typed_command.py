"""The command that was typed, and others like it, for messages that say what to run next."""

import shlex
import sys
from collections.abc import Collection
from pathlib import Path

import click

from octa_kedro.configuration.unread import CHOICE

CHOOSING = {"pipeline", "pipelines", "load_versions", *CHOICE}
"""Parameters of the command ``run`` that choose nodes or versions; the option of each is followed by a value."""


def typed_command() -> str:
    """The command line of this process, as a shell takes it."""
    return shlex.join([*_program(), *sys.argv[1:]])


def command_for(pipeline: str, environment: str | None = None) -> str:
    """The command that runs `pipeline` with the environment and parameters of this run."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run":  # of a notebook or a test
        return shlex.join(["kedro", "run", *(["--env", environment] if environment else []), "--pipelines", pipeline])
    choosing = {option for one in context.command.params if one.name in CHOOSING for option in one.opts}
    return shlex.join([*_program(), *_without(choosing, sys.argv[1:]), "--pipelines", pipeline])


def _program() -> list[str]:
    """`kedro`, or `python -m PACKAGE`; Kedro writes that into `sys.argv` as one word."""
    name = sys.argv[0]
    if name.startswith("python -m "):
        return name.split()
    path = Path(name)
    return [path.name] if path.name != "__main__.py" else ["python", "-m", path.parent.name]


def _without(options: Collection[str], words: list[str]) -> list[str]:
    left, value_follows = [], False
    for word in words:
        if not value_follows and word.split("=")[0] not in options:
            left.append(word)
        value_follows = word in options
    return left
