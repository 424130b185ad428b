"""Parameters of how per-eye work is done."""

from typing import Literal

from octa_kedro.config import Config

OnError = Literal["stop", "quarantine"]


class ExecutionConfig(Config):
    """How per-eye work is done; it never changes a result.

    `workers` processes each make one eye at a time (null: one per core). `on_error`: an eye that cannot be processed
    stops the run, or is put aside (quarantine) with its reason while the rest goes on.
    """

    workers: int | None = None
    on_error: OnError = "stop"
