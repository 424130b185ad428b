import gzip
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.viewer.encode import NO_ILM, encode_eye
from tests.viewer.eyes import PEAK, SHAPE, small_eye


def read(packed: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(packed))


def test_a_map_keeps_its_raw_values_and_exact_zeros():
    eye = small_eye()
    shown = read(encode_eye(eye)["heat"])
    values = shown.get_fdata()
    assert shown.get_data_dtype() == np.uint8
    np.testing.assert_allclose(values, eye.heat.array, atol=0.02 / 255 / 2 * 1.01)
    assert (values[eye.heat.array == 0] == 0).all()


def test_evidence_against_the_class_keeps_its_sign():
    eye = small_eye()
    heat = eye.heat.with_array(eye.heat.array - np.float32(0.005))
    np.testing.assert_allclose(read(encode_eye(replace(eye, heat=heat))["heat"]).get_fdata(), heat.array, atol=1e-6)


def test_z_runs_upwards_and_the_place_in_millimetres_stays():
    eye = small_eye()
    x, y, z = (eye.heat.affine @ [*PEAK, 1])[:3]
    shown = read(encode_eye(eye)["octa"])
    np.testing.assert_allclose((shown.affine @ [*PEAK, 1])[:3], [x, y, -z], rtol=1e-6)
    assert shown.header.get_xyzt_units()[0] == "mm"


def test_a_bit_says_in_which_slabs_a_voxel_lies():
    bits = np.asarray(read(encode_eye(small_eye())["slabs"]).dataobj)[0, 0]
    assert bits.tolist() == [1] * 6 + [3] * 2 + [2] * 8


def test_the_depth_of_the_ilm_is_kept_to_the_micrometre():
    ilm = np.full(SHAPE[:2], 0.1234)
    ilm[3, 4] = np.nan
    plane = np.asarray(read(encode_eye(small_eye(ilm=ilm))["ilm"]).dataobj)[..., 0]
    assert (plane[0, 0], plane[3, 4]) == (123, NO_ILM)


def test_an_ilm_of_other_a_scans_is_refused():
    with pytest.raises(DataError, match=r"10001: the ILM has \(3, 4\) A-scans"):
        small_eye(ilm=np.zeros((3, 4)))


def test_an_image_outside_its_range_is_refused():
    eye = small_eye()
    bright = eye.heat.with_array(np.full(eye.heat.array.shape, 2.0))
    with pytest.raises(DataError, match="10001: the octa has values 2"):
        encode_eye(replace(eye, octa=bright))


def test_a_map_on_another_grid_is_refused():
    eye = small_eye()
    moved = replace(eye.heat, grid_affine=eye.heat.grid_affine + np.eye(4) * 0.01)
    with pytest.raises(DataError, match=r"10001: the octa .* are on different grids"):
        replace(eye, heat=moved)


def test_an_eye_without_any_image_is_refused():
    with pytest.raises(DataError, match="neither OCT nor OCTA"):
        small_eye(octa=None)
