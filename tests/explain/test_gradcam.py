"""Maps: sign, place, scale, independence of what they should not depend on."""

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.gradcam import choose_layer, grad_cam, measure_layers, upsample_cells
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model


class BlobCounter(nn.Module):
    """A network whose evidence for class 1 is the brightness it sees: the right map is known."""

    def __init__(self, dims: int, stride: int = 4) -> None:
        super().__init__()
        conv = nn.Conv3d if dims == 3 else nn.Conv2d
        self.layer1 = nn.Sequential(conv(1, 2, 5, stride=stride, padding=2), nn.ReLU())
        with torch.no_grad():
            self.layer1[0].weight[0], self.layer1[0].weight[1] = 1.0, -1.0
            self.layer1[0].bias.zero_()
        self.fc = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[-1.0, 0.5], [1.0, -0.5]]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layer1(images).flatten(2).mean(2))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("corner", [4, 8, 20])
def test_the_map_peaks_on_a_planted_blob(dims: int, corner: int):
    shape = (40, 48, 56)[:dims]
    image = torch.zeros((1, 1, *shape))
    box = tuple(slice(corner + 2 * axis, corner + 2 * axis + 5) for axis in range(dims))
    image[(0, 0, *box)] = 1
    model = BlobCounter(dims).eval()
    layer = measure_layers(model, (1, *shape), (0.01,) * dims)[0]
    assert layer.stride == (4,) * dims
    heat = grad_cam(model, layer, image, target_class=1)
    assert heat.shape == shape
    assert heat.min() >= 0
    peak = np.unravel_index(heat.argmax(), heat.shape)
    centre = [corner + 2 * axis + 2 for axis in range(dims)]
    assert np.abs(np.array(peak) - centre).max() <= 2
    # Evidence against the class is not shown: the other class's map is empty there.
    assert grad_cam(model, layer, image, target_class=0)[box].max() == 0


def test_a_constant_added_to_all_logits_changes_nothing():
    class Shifted(BlobCounter):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) + 3 * images.mean()

    image = torch.rand(1, 1, 24, 24)
    torch.manual_seed(0)
    plain, shifted = BlobCounter(2).eval(), Shifted(2).eval()
    maps = [grad_cam(m, measure_layers(m, (1, 24, 24), (1, 1))[0], image, 1) for m in (plain, shifted)]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-5, atol=1e-7)


def test_agrees_with_autograd_written_out():
    torch.manual_seed(0)
    model = build_model(ModelConfig(name="resnet10", widths=(4, 4, 8, 8))).eval()
    image = torch.rand(1, 1, 32, 48, 40)
    layer = measure_layers(model, (1, 32, 48, 40), (0.01, 0.05, 0.05))[1]
    kept = {}
    handle = layer.module.register_forward_hook(lambda _m, _i, out: kept.update(a=out))
    logits = model(image)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], kept["a"])
    cells = (gradient.mean((2, 3, 4), keepdim=True) * kept["a"]).sum(1)[0].relu().detach().numpy()
    expected = upsample_cells(cells, (32, 48, 40), layer.stride)
    np.testing.assert_allclose(grad_cam(model, layer, image, 1), expected, rtol=1e-4, atol=1e-7)


def test_no_hooks_are_left_and_weights_stay():
    model = build_model(ModelConfig(name="resnet10", widths=(4, 4, 8, 8))).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    layer = measure_layers(model, (1, 32, 32, 32), (1, 1, 1))[0]
    grad_cam(model, layer, torch.rand(1, 1, 32, 32, 32), 1)
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_only_what_lies_behind_the_layer_is_differentiated():
    model = BlobCounter(2).eval()
    grad_cam(model, measure_layers(model, (1, 24, 24), (1, 1))[0], torch.rand(1, 1, 24, 24), 1)
    assert model.layer1[0].weight.grad is None
    assert model.fc.weight.grad is not None


def test_cells_sit_where_their_receptive_fields_are_centred():
    cells = np.zeros((5, 1, 1))
    cells[2] = 1
    line = upsample_cells(cells, (40, 1, 1), (8, 1, 1))[:, 0, 0]
    assert line.argmax() == 16
    np.testing.assert_allclose(line[8:25], np.r_[np.linspace(0, 1, 9), np.linspace(1, 0, 9)[1:]], atol=1e-6)
    # Stretching to the edges, as interpolation routines do, would have put it elsewhere.
    assert zoom(cells[:, 0, 0], 8, order=1, grid_mode=True, mode="nearest").argmax() != 16


def test_the_default_layer_is_the_last_with_fine_cells():
    model = build_model(ModelConfig(widths=(4, 4, 8, 8))).eval()
    layers = measure_layers(model, (1, 96, 64, 64), (0.8 / 96, 3 / 64, 3 / 64))
    assert [layer.stride[0] for layer in layers] == [4, 8, 16, 32]
    chosen = choose_layer(layers, ExplainConfig())
    assert chosen.name == "layer2"
    assert chosen.cell_mm[0] == pytest.approx(8 * 0.8 / 96)
    assert choose_layer(layers, ExplainConfig(depth_cell_mm=0.05)).name == "layer1"
    with pytest.raises(ConfigError, match=r"no layer has cells of 0\.001 mm"):
        choose_layer(layers, ExplainConfig(depth_cell_mm=0.001))
