"""Parameters of the external test."""

from typing import Any, Literal

from pydantic import Field, field_validator

from octa_kedro.cohort.config import listed_reasons
from octa_kedro.config import Config
from octa_kedro.identifiers import Given, unfit_for_files


class ExternalConfig(Config):
    """Which second cohort is judged by the networks of this environment.

    `path` is where its scans lie, in the layout of the environment's source (null: ``01_raw/second_cohort`` of the data
    root), `name` the folder of its results (null: the last part of the path), `pseudonyms` the table of subjects for
    files that are named by patients. `exclude` lists eyes to leave out, or maps each to its reason. `same_names` says
    what an eye is that is called like one of the development cohort: ``refuse`` (it is the same person, and a test on
    it would not be external) or ``other_people`` (two clinics that number alike, so that images alone are compared).
    """

    path: str | None = None
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]*$")
    pseudonyms: str | None = None
    exclude: dict[Given, str] = Field({})
    same_names: Literal["refuse", "other_people"] = "refuse"

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str | None) -> str | None:
        if name is not None and (why := unfit_for_files(name)):
            raise ValueError(f"{name} {why}")
        return name

    @field_validator("exclude", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return listed_reasons(value)
