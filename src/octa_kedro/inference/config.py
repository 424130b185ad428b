"""Parameters of inference."""

from pydantic import Field, field_validator, model_validator

from octa_kedro.config import Config
from octa_kedro.identifiers import Given, unfit_for_files


class InferenceConfig(Config):
    """Which eyes are read, and by which networks.

    `subject` restricts a source to one of its eyes. The networks are those of all folds and seeds of `model`, the
    newest of each, as this environment has trained them; or the one file `checkpoint` (.safetensors); or `checkpoints`:
    a folder with subfolders fold_1, fold_2, ..., a list of files, or a text file with one a line. Paths are relative to
    the project. `name` is the folder of the results (`data_root`).
    """

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]*$")
    subject: Given | None = None
    model: str = "training_3d"
    checkpoint: str | None = None
    checkpoints: str | tuple[str, ...] | None = None

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str | None) -> str | None:
        if name is not None and (why := unfit_for_files(name)):
            raise ValueError(f"{name} {why}")
        return name

    @model_validator(mode="after")
    def _one_choice(self) -> "InferenceConfig":
        if self.checkpoint is not None and self.checkpoints is not None:
            raise ValueError("checkpoint: name one file here or several in checkpoints, not both")
        return self
