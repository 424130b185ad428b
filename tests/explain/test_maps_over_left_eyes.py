"""A Grad-CAM map of a left eye lies over the eye's raw file, though the network saw it mirrored."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from octa_kedro.explain import explainer as explainer_module
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.explainer import Explainer
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.models.config import ModelConfig
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.results.result import Result
from octa_kedro.results.stored import write_result
from tests.explain.networks import BlobCounter
from tests.explain.test_patches import checkpoint

SHAPE = (32, 24, 20)
AT = (8, 15, 9)
AFFINE = scan_affine(SHAPE, (3.2, 2.4, 0.4))


def left_scan(dims: int) -> Volume | PlaneStack:
    """A left eye, or its en-face map, as the scanner left it: one bright blob off the middle."""
    array = np.zeros(SHAPE, np.float32)
    array[tuple(slice(at - 2, at + 3) for at in AT)] = 1
    if dims == 3:
        return Volume(array, AFFINE, "OCTA", "OS", "eye")
    return PlaneStack(array.max(axis=2, keepdims=True), AFFINE, ("ILM_OPL",), "OS", "eye")


@pytest.mark.parametrize("dims", [2, 3])
def test_the_peak_of_a_left_eyes_map_lies_on_the_raw_scans_blob(
    monkeypatch: pytest.MonkeyPatch, dims: int, tmp_path: Path
):
    monkeypatch.setattr(explainer_module, "restore_model", lambda _checkpoint: BlobCounter(dims).eval())
    slabs = ("ILM_OPL",) if dims == 2 else ()
    card = checkpoint(model=ModelConfig(name="resnet10t" if dims == 2 else "resnet10", spatial_dims=dims), slabs=slabs)
    config = ExplainConfig(device="cpu", method_2d="grad_cam", method_3d="grad_cam")
    heat = Explainer(card, config).explain(mirror(left_scan(dims)))
    peak = np.unravel_index(heat.array.argmax(), heat.array.shape)
    assert abs(peak[0] - (SHAPE[0] - 1 - AT[0])) <= 3  # where the network saw it
    write_result(tmp_path / "map.nii", Result(heat))
    found = nib.load(tmp_path / "map.nii").affine @ [*peak, 1]
    off = np.abs(found - AFFINE @ [*AT, 1])[:dims] / np.diag(AFFINE)[:dims]
    assert (off <= 3).all(), off
