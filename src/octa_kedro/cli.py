"""The command ``run`` of this project: Kedro's own, except that names in ``--params`` stay as they were typed."""

import copy
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import split_string

from octa_kedro.errors import ConfigError
from octa_kedro.typed_names import keep_names


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, name=__file__)
def cli() -> None:
    """Commands of this project."""


def _with_names(command: click.Command) -> click.Command:
    """The command with another reading of ``--params``."""
    changed = copy.copy(command)
    changed.params = [_reading_names(one) if one.name == "params" else one for one in command.params]
    return changed


class _Repeated(click.Option):
    """An option that may be given several times; what stands behind it is joined by commas. Click would keep the last
    alone."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append")

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        return (",".join(value) if isinstance(value, list) else value), source


def _reading_names(option: click.Parameter) -> click.Parameter:
    read = option.callback
    assert read is not None
    changed = _Repeated(option.opts, type=option.type, default=option.default, help=getattr(option, "help", None))

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        parsed = read(context, parameter, value)
        if not isinstance(value, str):  # of a --config file, which is YAML
            return parsed
        try:
            return keep_names(parsed, split_string(context, parameter, value))
        except ConfigError as error:
            raise click.BadParameter(str(error), context, parameter) from error

    changed.callback = callback
    return changed


run = _with_names(kedro_run)
cli.add_command(run)
