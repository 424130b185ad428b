from collections.abc import Callable
from functools import cache

import pytest

from octa_kedro.phantom import PhantomConfig, PhantomEye, make_eye

MakeEye = Callable[..., PhantomEye]


@pytest.fixture(scope="session")
def small() -> PhantomConfig:
    return PhantomConfig(
        seed=7,
        subjects={"NORMAL": 2, "DR": 2, "CNV": 2},
        shapes={"3mm": (48, 48, 192), "6mm": (64, 64, 192)},
    )


@pytest.fixture(scope="session")
def eye(small: PhantomConfig) -> MakeEye:
    """An eye by disease, made once for the whole session."""

    @cache
    def made(
        disease: str, *, number: int = 10301, fov_mm: float = 3.0, side: str = "OD", with_lesion: bool = True
    ) -> PhantomEye:
        row = {"ID": number, "Sex": "F", "OS/OD": side, "Age": 50, "Disease": disease, "fov_mm": fov_mm}
        return make_eye(small, row, with_lesion=with_lesion)

    return made
