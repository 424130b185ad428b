"""Kedro's configuration loader, with ``conf/local`` laid over every environment, and refusing files it would not read.

This is the one place that knows the order of the configuration folders: base, environment, local.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import permutations
from pathlib import Path
from typing import Any, cast

from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from octa_kedro.errors import ConfigError, user_error
from octa_kedro.io.yaml_text import require_modest_yaml, yaml_words
from octa_kedro.messages.one_line_errors import install_one_line_errors

LOCAL = "local"
"""The folder whose files override those of any environment."""

KINDS = ("catalog.yml", "parameters.yml", "structure.yml", "credentials.yml", "logging.yml")
SUFFIXES = (".yml", ".yaml", ".json")
MISSING = {"catalog": "catalog.yml", "globals": "structure.yml", "parameters": "parameters_*.yml"}
AS_IT_CAME = "copy it again from the project as it came"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
LOGGING = "logging.yml"
"""The one file beside the configuration folders; Kedro reads it before any other."""


class ConfigLoader(OmegaConfigLoader):
    """Configuration from ``conf/base``, then the environment's folder, then ``conf/local``; the last word counts.

    Kedro reads either the environment or ``conf/local``. Parameters are merged key by key (strategy "soft"); of
    everything else a top-level key (a catalog entry, ``models`` of structure.yml) replaces the earlier one whole. A
    missing ``conf/local`` is an empty one.
    """

    def __init__(
        self, conf_source: str | Path, env: str | None = None, runtime_params: dict[str, Any] | None = None, **how: Any
    ) -> None:
        """ConfigError for a configuration that is not there, an environment that has no folder, and a file that cannot
        be read within bounds."""
        install_one_line_errors()  # structure.yml is read here, before any hook is called
        _require_configuration(Path(conf_source), str(how.get("base_env", "base")))
        _require_environment(Path(conf_source), env)
        super().__init__(str(conf_source), env, runtime_params, **how)
        for file in (file for folder in self.folders for file in self._yaml_files(folder)):
            require_modest_yaml(file)

    default_run_env: str
    runtime_params: dict[str, Any]

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the configuration folders in the order in which they are read, each once."""
        run = self.env or self.default_run_env
        return tuple(name for name in dict.fromkeys((self.base_env, run, LOCAL)) if name and self._exists(name))

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The merged configuration of a kind; ConfigError names a file that cannot be read or two that clash."""
        if self.env is None and not self._exists(self.default_run_env):
            self.default_run_env = self.base_env  # an installed package may come without conf/local
        if (kind := MISSING.get(key)) is not None and key not in self and not self._matches(self.base_env, key):
            raise ConfigError(f"{self.path(self.base_env)}: holds no {kind}; {AS_IT_CAME}")
        beyond = LOCAL in self.folders[1:] and (self.env or self.default_run_env) != LOCAL
        try:
            return self._merged(key) if beyond and key not in self else super().__getitem__(key)
        except (ValueError, YAMLError, OmegaConfBaseException) as error:
            if user_error(error) is not None:
                raise
            raise ConfigError(f"configuration ({self._unreadable(key) or key}): {_words(error)}") from error

    def layer(self, folder: str, key: str) -> dict[str, Any]:
        """What the files of one folder say of a kind of configuration, without run parameters; {} for no file."""
        if not self._exists(folder):
            return {}
        given, self.runtime_params = self.runtime_params, {}
        self._register_runtime_params_resolver()  # which is gone when structure.yml has been read
        try:
            return self._read(folder, key)
        except (ValueError, YAMLError, OmegaConfBaseException) as error:
            if user_error(error) is not None:
                raise
            raise ConfigError(f"{self.path(folder)}: {_words(error)}") from error
        finally:
            self.runtime_params = given

    def path(self, folder: str) -> Path:
        """The folder of that name."""
        return Path(self._get_conf_env_path(folder))

    def files(self, folder: str) -> list[str]:
        """The configuration files in a folder, whether they are read or not, relative to it; none in an archive."""
        return [file.relative_to(self.path(folder)).as_posix() for file in self._yaml_files(folder)]

    def others(self, folder: str) -> list[str]:
        """Files in a folder that are no configuration, by their endings; nothing reads them."""
        found = (file for file in self._all_files(self.path(folder)) if file.suffix.lower() not in SUFFIXES)
        return [file.relative_to(self.path(folder)).as_posix() for file in found]

    def names(self, folder: str, key: str) -> list[str]:
        """The top-level keys of a kind of configuration in one folder; nothing is resolved."""
        if not self._exists(folder):
            return []
        found = self._read_dir_configs(str(self.path(folder)), self.config_patterns[key], key, set())
        return [str(name) for config in found.values() for name in config]

    def require_read(self) -> None:
        """ConfigError for a YAML or JSON file that lies beside the configuration folders, or in one under a name that
        no kind of configuration has."""
        for file in Path(self.conf_source).glob("*.*"):
            if file.suffix.lower() in SUFFIXES and file.name != LOGGING:
                raise ConfigError(f"{file}: nothing reads it there; move it to {self.path(LOCAL)}")
        for folder in self.folders:
            read = {file for kind in self.config_patterns for file in self._matches(folder, kind)}
            for file in self._yaml_files(folder):
                if file not in read or file.suffix not in SUFFIXES:
                    near = get_close_matches(file.name, KINDS, n=1, cutoff=0.5)
                    guess = f"did you mean {near[0]}?" if near else f"known: {', '.join(KINDS)}, parameters_*.yml"
                    raise ConfigError(f"{file}: no configuration has this name, so nothing reads it; {guess}")

    def _unreadable(self, key: str) -> Path | None:
        """The first file of a kind that is no YAML; what Kedro says does not always name it."""
        for file in sorted(file for folder in self.folders for file in self._matches(folder, key)):
            try:
                OmegaConf.load(file)
            except (ValueError, YAMLError, OmegaConfBaseException, OSError):
                return file
        return None

    def _merged(self, key: str) -> dict[str, Any]:
        """What Kedro makes of base and environment, with conf/local over it."""
        try:
            merged = super().__getitem__(key)
        except MissingConfigException:
            if not self._matches(LOCAL, key):
                raise
            merged = {}
        return self._merge_configs(merged, self._read(LOCAL, key), key, str(self.path(LOCAL)))

    def _read(self, folder: str, key: str) -> dict[str, Any]:
        return self.load_and_merge_dir_config(
            self._get_conf_env_path(folder), self.config_patterns[key], key, set(), key == "credentials"
        )

    def _check_duplicates(self, key: str, config_per_file: dict[Path, Any]) -> None:
        """Kedro's check, and one for a key that is a value in one file and a mapping in another: files of a folder have
        no order, so either might win."""
        for file, one in config_per_file.items():
            if not isinstance(one, DictConfig):
                raise ValueError(f"{file}: is no mapping; write NAME: VALUE, as the files in conf/base do")
        super()._check_duplicates(key, config_per_file)
        if key != "parameters":
            return
        plain = {file: cast(dict[str, Any], OmegaConf.to_container(one)) for file, one in config_per_file.items()}
        names = {file: flatten(one) for file, one in plain.items()}
        for (file, own), (other, theirs) in permutations(names.items(), 2):
            if clash := [name for name in own if any(their.startswith(f"{name}.") for their in theirs)]:
                raise ValueError(f"{file} and {other} both set {clash[0]}; leave it to one of them")

    def _exists(self, folder: str) -> bool:
        return bool(self._fs.isdir(self.path(folder).as_posix()))

    def _matches(self, folder: str, key: str) -> set[Path]:
        """The files of a kind in a folder."""
        found = (self._fs.glob((self.path(folder) / pattern).as_posix()) for pattern in self.config_patterns[key])
        return {Path(name) for names in found for name in names if self._fs.isfile(name)}

    def _yaml_files(self, folder: str) -> list[Path]:
        return [file for file in self._all_files(self.path(folder)) if file.suffix.lower() in SUFFIXES]

    @staticmethod
    def _all_files(root: Path) -> list[Path]:
        """Files below a folder, without hidden ones."""
        found = (file for file in sorted(root.rglob("*")) if file.is_file())
        return [file for file in found if not any(part.startswith(".") for part in file.relative_to(root).parts)]


def _words(error: Exception) -> str:
    """What is wrong with a file, in one line; of bytes that are no text, where they stand."""
    if isinstance(error, UnicodeDecodeError):
        return f"is no UTF-8 text (byte {error.start}: 0x{error.object[error.start]:02x}); save it as UTF-8"
    return yaml_words(error) if isinstance(error, YAMLError) else " ".join(str(error).split())


def _require_configuration(conf: Path, base: str) -> None:
    """ConfigError unless there is a folder (or an archive) with the base environment."""
    if conf.name.endswith(ARCHIVES) or "://" in str(conf):
        return
    if not (conf / base).is_dir():
        what = "is no folder" if conf.exists() and not conf.is_dir() else f"there is no folder {base} in it"
        raise ConfigError(
            f"{conf}: {what if conf.exists() else 'no such folder'}; the configuration is read from there: run in the "
            "project's folder, or name the folder conf of a project by --conf-source"
        )


def _require_environment(conf: Path, env: str | None) -> None:
    if env is None or not conf.is_dir() or (conf / env).is_dir():
        return
    known = sorted(path.name for path in conf.iterdir() if path.is_dir() and not path.name.startswith("."))
    near = get_close_matches(env, known, n=1)
    guess = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise ConfigError(f"--env {env}: there is no folder {conf / env}; {guess}")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; an empty mapping is a value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
