"""Which layer maps are taken from, and where its cells lie."""

import numpy as np
import pytest
from scipy.ndimage import zoom

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import Layer, choose_layers, coarse_note, measure_layers, upsample_cells
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    model = build_model(ModelConfig(widths=(4, 4, 8, 8))).eval()
    return measure_layers(model, (1, 96, 64, 64), (0.8 / 96, 3 / 64, 3 / 64))


def test_cells_sit_where_their_receptive_fields_are_centred():
    cells = np.zeros((5, 1, 1))
    cells[2] = 1
    line = upsample_cells(cells, (40, 1, 1), (8, 1, 1))[:, 0, 0]
    assert line.argmax() == 16
    np.testing.assert_allclose(line[8:25], np.r_[np.linspace(0, 1, 9), np.linspace(1, 0, 9)[1:]], atol=1e-6)
    # Stretching to the edges, as interpolation routines do, would have put it elsewhere.
    assert zoom(cells[:, 0, 0], 8, order=1, grid_mode=True, mode="nearest").argmax() != 16


def test_auto_is_the_last_layer_with_fine_cells(layers: list[Layer]):
    assert [layer.stride[0] for layer in layers] == [4, 8, 16, 32]
    (chosen,) = choose_layers(layers, ExplainConfig())
    assert chosen.name == "layer2"
    assert chosen.cell_mm[0] == pytest.approx(8 * 0.8 / 96)
    assert choose_layers(layers, ExplainConfig(depth_cell_mm=0.05))[0].name == "layer1"
    assert choose_layers(layers, ExplainConfig(depth_cell_mm=None))[0].name == "layer4"
    with pytest.raises(ConfigError, match=r"no layer has cells of 0\.001 mm"):
        choose_layers(layers, ExplainConfig(depth_cell_mm=0.001))


def test_layers_are_chosen_by_name(layers: list[Layer]):
    chosen = choose_layers(layers, ExplainConfig(layers=("layer3", "layer1")))
    assert [layer.name for layer in chosen] == ["layer3", "layer1"]


def test_a_layer_of_few_cells_is_told_with_what_to_set_instead(layers: list[Layer]):
    note = coarse_note(layers[-1:], layers)
    assert note.startswith("layer4 has 3 x 2 x 2 cells (depth, y, x), fewer than 4 along an axis")
    assert "set explainability.layers to one of layer1, layer2, layer3 or depth_cell_mm to less" in note
    assert coarse_note(layers[:3], layers) == ""
    assert "choose a method of voxels" in coarse_note(layers[-1:], layers[-1:])


@pytest.mark.parametrize("names", [("layer3", "layer9"), ()])
def test_a_layer_that_does_not_exist_is_answered_by_those_that_do(layers: list[Layer], names: tuple[str, ...]):
    with pytest.raises(ConfigError, match="it has layer1, layer2, layer3, layer4"):
        choose_layers(layers, ExplainConfig(layers=names))
