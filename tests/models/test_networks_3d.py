"""Our 3D networks against the 2D ones of timm: the same layers, and the same output where depth changes nothing.

A volume has borders in depth, where padding enters that a 2D image does not have, so that even on a volume constant
along depth a 3D network differs from the 2D one near its ends. The comparison is made exact by `endless_in_depth`,
which gives each convolution and pooling the depth it looks for out of the one plane there is, as in the interior of
an endless volume.
"""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from octa_kedro.errors import CheckpointError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.convert import endless_in_depth, inflate_kernel
from octa_kedro.models.factory import build_model
from octa_kedro.models.inception import InceptionV3, kernel_3d
from octa_kedro.models.names import NETWORKS_3D
from octa_kedro.models.pretrained import layers_of, load_timm
from octa_kedro.models.vgg import VGG3D
from tests.models.helpers import features_of, plan_of, randomise_statistics, save_2d

SAME = ["resnet18", "resnet50", "inception_v3", "efficientnet_b0", "efficientnet_b1", "densenet121"]
SLOW = ["vgg16", "resnet34", "vgg19", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4"]
HEADS = {"vgg": 3, "resnet": 1, "inception": 1, "efficientnet": 1, "densenet": 1}


@pytest.mark.parametrize("name", [*SAME, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)])
def test_inflated_it_answers_as_the_2d_network(name: str, tmp_path):
    torch.manual_seed(0)
    config = ModelConfig(name=name, in_channels=3)
    net_2d = randomise_statistics(timm.create_model(NETWORKS_3D[name].timm)).eval()
    net_3d = build_model(config)
    load_timm(net_3d, config, save_2d(net_2d, tmp_path))
    side = 96 if name == "inception_v3" else 64
    image = torch.rand(1, 3, side, side)
    with torch.no_grad():
        expected = net_2d.forward_features(image)
        expected = expected if expected.ndim == 2 else expected.mean((2, 3))
        if name == "densenet121":  # its last activation is part of timm's features
            assert expected.min() >= 0
        found = features_of(endless_in_depth(net_3d.eval()), image.unsqueeze(2))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_in_the_interior_of_a_real_volume_too():
    """The first layers of the VGG on a volume with borders: their middle plane sees no border."""
    torch.manual_seed(0)
    net_2d = timm.create_model("vgg16_bn", in_chans=1, num_classes=2, mlp_ratio=0.01).eval()
    net_3d = VGG3D((2, 2), (64, 128), classes=2).eval()
    weights = net_2d.features[:13].state_dict()
    net_3d.features.load_state_dict(
        {k: inflate_kernel(v, 3) if v.ndim == 4 else v for k, v in weights.items()}, strict=True
    )
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        expected = net_2d.features[:14](image)
        found = net_3d.features(image.unsqueeze(2).repeat(1, 1, 24, 1, 1))
    torch.testing.assert_close(found[:, :, 3], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[:, :, 0], expected, atol=1e-3)


@pytest.mark.parametrize("name", [*SAME, *SLOW])
def test_the_layer_plan_is_the_2d_networks(name: str):
    with torch.device("meta"):
        net_2d, net_3d = (
            timm.create_model(NETWORKS_3D[name].timm, in_chans=1, num_classes=2),
            build_model(ModelConfig(name=name)),
        )
    heads = HEADS[NETWORKS_3D[name].family]
    theirs = [plan_of(layer) for _, layer in layers_of(net_2d)][:-heads]
    own = [plan_of(layer) for _, layer in layers_of(net_3d)][:-1]
    assert own == theirs
    assert len(own) > 20


def test_the_auxiliary_head_is_the_2d_networks_too():
    with torch.device("meta"):
        net_2d = timm.create_model("inception_v3", in_chans=1, num_classes=2, aux_logits=True)
        net_3d = InceptionV3(auxiliary=True)
    assert [plan_of(m) for _, m in layers_of(net_3d)] == [plan_of(m) for _, m in layers_of(net_2d)]


def test_inflated_the_auxiliary_head_answers_alike():
    torch.manual_seed(0)
    net_2d = timm.create_model("inception_v3", in_chans=1, num_classes=2, aux_logits=True).AuxLogits.eval()
    net_3d = InceptionV3(auxiliary=True).AuxLogits
    pairs = zip(layers_of(net_3d), layers_of(net_2d), strict=True)
    for (_, own), (_, theirs) in pairs:
        state = {
            k: inflate_kernel(v, own.weight.shape[2]) if v.ndim == 4 else v for k, v in theirs.state_dict().items()
        }
        own.load_state_dict(state)
    features = torch.rand(2, 768, 17, 17)
    with torch.no_grad():
        # The mean over a depth of 17 is cut as height is; a cube constant along depth is all that is needed.
        found = net_3d.eval()(features.unsqueeze(2).expand(-1, -1, 17, -1, -1))
        expected = net_2d(features)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_depth_is_treated_as_height():
    assert kernel_3d(3) == (3, 3, 3)
    assert kernel_3d((1, 7)) == (1, 1, 7)
    assert kernel_3d((7, 1)) == (7, 7, 1)
    kernel = torch.rand(4, 2, 3, 5)
    inflated = inflate_kernel(kernel, 3)
    assert inflated.shape == (4, 2, 3, 3, 5)
    torch.testing.assert_close(inflated.sum(2), kernel)


def test_the_narrow_vgg_is_the_originals():
    model = build_model(ModelConfig(name="vgg16_narrow"))
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv3d)]
    assert [m.out_channels for m in convolutions] == [2, 2, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32]
    assert all(m.kernel_size == (3, 3, 3) for m in convolutions)
    assert sum(isinstance(m, nn.InstanceNorm3d) for m in model.modules()) == 13
    assert sum(isinstance(m, nn.MaxPool3d) for m in model.modules()) == 5
    assert [m.in_features for m in model.modules() if isinstance(m, nn.Linear)] == [32 * 8 * 6 * 6, 128]
    # At the full size of 256 x 192 x 192 (z, y, x) the grid is the features' own: nothing is averaged.
    features = torch.rand(1, 32, 8, 6, 6)
    torch.testing.assert_close(model.pool(features), features)
    assert (
        build_model(ModelConfig(name="vgg16_narrow", norm="batch", widths=(1, 2, 3, 4, 5))).features[1].num_features
        == 1
    )


@pytest.mark.parametrize(("name", "blocks"), [("cv3fc2", 3), ("cv5fc2", 5)])
def test_the_small_networks_have_what_their_names_say(name: str, blocks: int):
    model = build_model(ModelConfig(name=name))
    assert sum(isinstance(m, nn.Conv3d) for m in model.modules()) == blocks
    assert sum(isinstance(m, nn.Linear) for m in model.modules()) == 2


def test_the_transformer_takes_timms_weights_and_any_size(tmp_path):
    torch.manual_seed(0)
    config = ModelConfig(name="vit_s16", in_channels=1)
    net_2d = timm.create_model("vit_small_patch16_224")
    net_3d = build_model(config).eval()
    started = load_timm(net_3d, config, save_2d(net_2d, tmp_path))
    assert {*started.left} == {"head.weight", "head.bias"}
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        cube = image.sum(1, keepdim=True).unsqueeze(2).repeat(1, 1, 16, 1, 1)
        # One patch of the summed colours... with one weight shared by the colours it is timm's patch of each.
        grey = net_2d.patch_embed.proj.weight.sum(1, keepdim=True)
        expected = functional.conv2d(image.sum(1, keepdim=True), grey, net_2d.patch_embed.proj.bias, stride=16)
        torch.testing.assert_close(net_3d.patch_embed(cube)[:, 0], expected.movedim(1, -1), rtol=1e-4, atol=1e-4)
        assert net_3d(torch.rand(2, 1, 20, 33, 48)).shape == (2, 2)
        # Zeros at the end are all that an undivided size adds.
        cut = torch.rand(1, 1, 20, 32, 32)
        torch.testing.assert_close(net_3d(cut), net_3d(functional.pad(cut, (0, 0, 0, 0, 0, 12))))
    depth_planes = net_3d.pos_embed[:, 1:].unflatten(1, (6, 36))
    assert torch.equal(depth_planes[:, 0], depth_planes[:, 5])


def test_a_network_of_another_plan_is_refused(tmp_path):
    config = ModelConfig(name="resnet18", in_channels=3)
    net_2d = save_2d(timm.create_model("resnet18"), tmp_path)
    with pytest.raises(CheckpointError, match="layers before its head"):
        load_timm(build_model(ModelConfig(name="resnet10")), config, net_2d)
