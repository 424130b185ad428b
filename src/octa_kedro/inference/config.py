"""Parameters of inference."""

from pydantic import Field

from octa_kedro.config import Config
from octa_kedro.identifiers import Given


class InferenceConfig(Config):
    """Which eye of the source to read (its only one by default); `checkpoint` is the weights file to read it
    with, which the catalog resolves. `name` is the folder of the results (`data_root`)."""

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]*$")
    subject: Given | None = None
    checkpoint: str | None = None
