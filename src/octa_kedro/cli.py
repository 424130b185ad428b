"""The command ``run`` of this project: Kedro's own, except that names in ``--params`` stay as they were typed, an
interruption and a wrong option end in one line, and options that Kedro would read wrongly are refused."""

import codecs
import copy
import locale
import sys
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, split_string
from kedro.utils import load_obj
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from octa_kedro.configuration.typed_names import keep_names
from octa_kedro.errors import ConfigError
from octa_kedro.messages.one_line_errors import install_one_line_errors
from octa_kedro.messages.words import first_words, nearest
from octa_kedro.running.interruption import interruptible

RUNNERS = ("SequentialRunner", "ThreadRunner", "ParallelRunner")

install_one_line_errors()  # this module is imported by the command line only


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, name=__file__)
def cli() -> None:
    """Commands of this project."""


class RunCommand(click.Command):
    """Kedro's command ``run``, whose errors of use are single lines and which can be interrupted."""

    def invoke(self, ctx: click.Context) -> Any:
        """The run. ConfigError for a runner that there is not, or what Kedro itself refuses."""
        with interruptible():
            _require_utf8()
            _require_runner(ctx.params.get("runner"), ctx.params.get("runner_params") or {})
            try:
                return super().invoke(ctx)
            except KedroCliError as error:
                raise ConfigError(first_words(error)) from error


def _require_utf8() -> None:
    """ConfigError where Python reads text files as anything but UTF-8, which all files of this program are."""
    encoding = locale.getencoding()
    if not sys.flags.utf8_mode and codecs.lookup(encoding).name != "utf-8":
        raise ConfigError(f"this terminal's text is {encoding}, not UTF-8; set the variable PYTHONUTF8=1 and run again")


def _require_runner(name: str | None, arguments: Mapping[str, Any]) -> None:
    """ConfigError for an unknown runner, or one that does not take these `arguments`."""
    try:
        runner = load_obj(name or RUNNERS[0], "kedro.runner")
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"--runner {name}: there is none of this name; {nearest(str(name), RUNNERS)}") from error
    try:
        runner(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"--runner-params: {name or RUNNERS[0]} does not take them ({first_words(error)})") from error


def _with_names(command: click.Command) -> RunCommand:
    """The command with another reading of ``--params``, and errors of use that are told as click does."""
    return RunCommand(
        name=command.name,
        callback=command.callback,
        params=[_reading_names(one) if one.name == "params" else _in_one_line(one) for one in command.params],
        help=command.help,
        context_settings=command.context_settings,
    )


def _in_one_line(option: click.Parameter) -> click.Parameter:
    """The option, refusing by click's own words what Kedro shows as a traceback."""
    read = option.callback
    if read is None:
        return option
    changed = copy.copy(option)

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return read(context, parameter, value)
        except KedroCliError as error:
            raise click.BadParameter(first_words(error), context, parameter) from error
        except (YAMLError, OmegaConfBaseException, ValueError, OSError) as error:
            raise click.BadParameter(f"cannot be read as YAML ({first_words(error)})", context, parameter) from error
        except (KeyError, TypeError, AttributeError) as error:  # of a file that is no mapping, or has no such section
            words = f"has no section {context.info_name}; write {context.info_name}: and below it the options"
            raise click.BadParameter(words, context, parameter) from error

    changed.callback = callback
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
