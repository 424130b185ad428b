from collections.abc import Callable
from functools import cache

import pytest

from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.scan import make_eye

MakeEye = Callable[..., PhantomEye]
DISEASES = ("AMD", "CNV", "CSC", "DR", "RVO", "OTHERS")


@pytest.fixture(scope="session")
def small() -> PhantomConfig:
    """Two eyes of each disease, scanned on a small grid."""
    return PhantomConfig(
        seed=7,
        subjects=dict.fromkeys(("NORMAL", *DISEASES), 2),
        shapes={"3mm": (48, 48, 192), "6mm": (64, 64, 192)},
    )


@pytest.fixture(scope="session")
def sparse(small: PhantomConfig) -> PhantomConfig:
    """The same with wide capillary nets, made in a fraction of the time: for what does not depend on them."""
    nets = {"spacing_um": (100.0, 100.0), "deep_spacing_um": (100.0, 100.0)}
    return small.model_copy(update={"vessels": small.vessels.model_copy(update=nets)})


@pytest.fixture(scope="session")
def eye(small: PhantomConfig) -> MakeEye:
    """An eye by disease, made once for the whole session."""
    return _maker(small)


@pytest.fixture(scope="session")
def sparse_eye(sparse: PhantomConfig) -> MakeEye:
    """An eye with wide capillary nets, made once for the whole session."""
    return _maker(sparse)


def _maker(config: PhantomConfig) -> MakeEye:
    @cache
    def made(
        disease: str = "NORMAL",
        *,
        number: int = 10301,
        fov_mm: float = 3.0,
        side: str = "OD",
        quality: str = "good",
        with_lesion: bool = True,
    ) -> PhantomEye:
        row = {"ID": number, "Sex": "F", "OS/OD": side, "Age": 50, "Disease": disease, "fov_mm": fov_mm}
        return make_eye(config, row | {"quality": quality}, with_lesion=with_lesion)

    return made
