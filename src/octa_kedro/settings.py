"""Kedro project settings: https://docs.kedro.org/en/stable/configure/configuration_basics/"""

import os

from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.configuration.data_root import (
    cohort_root,
    environment_name,
    external_root,
    inference_root,
    second_pseudonyms,
    second_source,
)
from octa_kedro.configuration.structure import current_folds
from octa_kedro.hooks import ProjectHooks
from octa_kedro.running.evidence import EvidenceHooks


def _environment(name: str, default: str) -> str:
    """`${octa.env:NAME, default}` in a configuration file: an environment variable, which Kedro's own
    resolver would give to credentials only."""
    return os.environ.get(name, default)


HOOKS = (ProjectHooks(), EvidenceHooks())

# conf/base, then the environment, then conf/local, whatever the environment is.
CONFIG_LOADER_CLASS = ConfigLoader

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # The structure of the pipelines (folds, models) is available to every file as ${globals:...}.
    "config_patterns": {"globals": ["structure.yml"], "logging": ["logging.yml"]},
    "custom_resolvers": {
        "octa.env": _environment,
        "octa.folds": current_folds,
        "octa.environment": environment_name,
        "octa.root": cohort_root,
        "octa.inference": inference_root,
        "octa.external": external_root,
        "octa.second_source": second_source,
        "octa.second_pseudonyms": second_pseudonyms,
    },
    # An environment or a run parameter overrides single keys and leaves their siblings alone.
    "merge_strategy": {"parameters": "soft"},
}
