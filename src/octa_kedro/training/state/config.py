"""Parameters of where the history of a training run goes."""

from typing import Literal

from octa_kedro.config import Config

Name = Literal["tensorboard", "mlflow"]


class TrackingConfig(Config):
    """`trackers`: any of tensorboard and mlflow; none by default. `uri` is MLflow's tracking store, by default an
    SQLite file in the trackers' folder (``mlflow ui --backend-store-uri ...`` shows it); `experiment` is the name
    there that runs are collected under.
    """

    trackers: tuple[Name, ...] = ()
    uri: str | None = None
    experiment: str = "octa_kedro"
