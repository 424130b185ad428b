"""What the writer wrote comes back, for any shape, order, direction, grey scale and way to state the spacing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from octa_kedro.io.dicom import dicom_size, read_dicom
from tests.io.dicom_files import ANALYSIS, TOMOGRAPHY, DicomEye

SYNTAXES = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless]
RESCALES = [None, (1, 0), (-1, 4095), (3, 2), (0.5, -4)]


@st.composite
def eyes(draw: st.DrawFn) -> DicomEye:
    vertical = draw(st.booleans())
    few, many = st.integers(3, 7), st.integers(8, 13)
    x, y, z = draw(many if vertical else few), draw(few if vertical else many), draw(few)
    bits = draw(st.sampled_from([8, 12, 16]))
    shown = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 1 << bits, (x, y, z))
    elements = {"PhotometricInterpretation": draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))}
    if rescale := draw(st.sampled_from(RESCALES)):
        elements |= {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1]}
    lengths = st.floats(0.005, 0.2).map(lambda value: round(value, 6))
    return DicomEye(
        shown.astype(np.uint8 if bits == 8 else np.uint16),
        (draw(lengths), draw(lengths), draw(lengths)),
        kind=draw(st.sampled_from([TOMOGRAPHY, ANALYSIS])),
        vertical=vertical,
        turned=draw(st.booleans()),
        order=draw(st.permutations(range(x if vertical else y))),
        places=draw(st.sampled_from(["fundus", "patient"])),
        per_frame=draw(st.booleans()),
        between=draw(st.sampled_from(["SpacingBetweenSlices", "SliceThickness"])),
        bits=bits,
        syntax=draw(st.sampled_from(SYNTAXES)),
        elements=elements,
    )


def meant(eye: DicomEye) -> np.ndarray:
    slope, intercept = eye.elements.get("RescaleSlope", 1), eye.elements.get("RescaleIntercept", 0)
    values = eye.shown.astype(float)
    if eye.elements["PhotometricInterpretation"] == "MONOCHROME1":
        values = (1 << eye.bits) - 1 - values
    return values * slope + intercept


@settings(max_examples=40)
@given(eye=eyes())
def test_what_was_written_comes_back(eye: DicomEye, tmp_path_factory: pytest.TempPathFactory):
    path: Path = eye.write(tmp_path_factory.mktemp("eye") / "eye.dcm")
    scan = read_dicom(path, None)
    np.testing.assert_array_equal(scan.array, meant(eye))
    assert scan.spacing == pytest.approx(eye.spacing)
    assert scan.modality == ("OCTA" if eye.kind == ANALYSIS else "OCT")
    assert (scan.laterality, scan.unstated) == ("OD", ())
    assert dicom_size(path, None) == (scan.array.shape, scan.spacing)
