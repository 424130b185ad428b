"""What a training ends with."""

from dataclasses import dataclass

import pandas as pd

from octa_kedro.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Fitted:
    """The checkpoint of the kept epoch and one row of history per epoch."""

    checkpoint: Checkpoint
    history: pd.DataFrame
