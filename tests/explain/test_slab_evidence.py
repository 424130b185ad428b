"""Evidence per slab over many eyes."""

import numpy as np
import pandas as pd
import pytest

from octa_kedro.explain.slab_evidence import SLAB_COLUMNS, slab_evidence
from tests.explain.eyes import SHAPE, box, flat_surfaces, volume

ROWS = pd.DataFrame(
    {"subject": ["1", "2", "3", "4"], "disease": "DR", "target": [1, 1, 1, 0], "correct": [True, True, False, True],
     "method": "map"}
)  # fmt: skip


def stored(item):
    return lambda: item


def test_shares_are_means_over_correctly_classified_eyes_of_the_class():
    inner = volume(box(slice(None), slice(None), slice(2, 4)).astype(np.float32))  # between ILM and OPL
    outer = volume(box(slice(None), slice(None), slice(10, 12)).astype(np.float32))  # between OPL and BM
    maps = {"1": stored(inner), "2": stored(outer), "3": stored(outer), "4": stored(outer)}
    surfaces = dict.fromkeys("1234", stored(flat_surfaces(0.05, 0.4, 0.8)))
    found = slab_evidence(ROWS, maps, surfaces).set_index("slab")
    assert list(found.reset_index().columns) == sorted(SLAB_COLUMNS, key=lambda name: name != "slab")
    assert found.loc["OPL-BM", ["eyes", "share"]].tolist() == pytest.approx([2, 0.5])
    assert found.loc["OPL-BM", "voxels"] == pytest.approx(8 / SHAPE[2])
    assert found.loc["above ILM", "share"] == 0
    assert "ILM-IPL" not in found.index  # these surfaces have no IPL


def test_eyes_without_surfaces_or_evidence_count_nowhere():
    nothing = volume(np.zeros(SHAPE, np.float32))
    found = slab_evidence(
        ROWS, {"1": stored(nothing), "2": stored(nothing)}, {"1": stored(flat_surfaces(0.1, 0.4, 0.8))}
    )
    assert found.empty
    assert list(found.columns) == list(SLAB_COLUMNS)
