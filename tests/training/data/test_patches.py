"""2D networks that see an eye in patches."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.data.dataset import EyeDataset, in_order, loader
from octa_kedro.training.data.patches import pool_patches
from octa_kedro.training.engine.devices import make_fabric
from octa_kedro.training.engine.validation import predict_logits
from octa_kedro.training.predict import predict_fold
from tests.training.conftest import store_items
from tests.training.test_training import PROCESSING

PATCHES = PatchConfig(n=2, size=16, match_contrast=False)
SLABS = ("ILM_OPL", "OPL_BM")


@pytest.fixture
def config() -> TrainingConfig:
    model = {"name": "resnet10t", "spatial_dims": 2, "in_channels": 2}
    return TrainingConfig.model_validate(
        {
            "model": model,
            "slabs": SLABS,
            "patches": PATCHES.model_dump(),
            "max_epochs": 1,
            "batch_size": 8,
            "device": "cpu",
        }
    )


def test_each_patch_is_an_image_with_its_eyes_target(tmp_path):
    arrays = [np.arange(128, dtype=np.float32).reshape(8, 8, 2) / 200 + 0.1 * i for i in range(2)]
    items = {f"s{i}": PlaneStack(array, np.eye(4), SLABS, "OD", f"s{i}") for i, array in enumerate(arrays)}
    data = EyeDataset(
        store_items(tmp_path, items),
        ["s0", "s1"],
        [1, 0],
        slabs=SLABS,
        patches=PatchConfig(n=2, size=4, match_contrast=False),
    )
    assert (len(data), data.per_eye) == (8, 4)
    assert [data[i].target for i in range(8)] == [1] * 4 + [0] * 4
    # Patch 1 is the second half along x and, rows running from superior to inferior, the second along y; tensors are
    # (channel, y, x).
    expected = torch.from_numpy(arrays[1][4:, 4:].transpose(2, 1, 0).copy())
    torch.testing.assert_close(torch.from_numpy(data[4 + 1].array), expected, atol=1e-4, rtol=0)


def test_probabilities_are_averaged_over_patches():
    shares = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.4, 0.6]], dtype=torch.float64)
    logits = torch.log(shares) + torch.tensor([[3.0], [-1.0], [0.0], [7.0]])
    pooled = torch.softmax(pool_patches(logits, 2), dim=1)
    torch.testing.assert_close(pooled, torch.tensor([[0.7, 0.3], [0.3, 0.7]], dtype=torch.float64))
    assert pool_patches(logits, 1) is logits


def test_training_and_prediction_by_patches(planes, table, config):
    fitted = fit_classifier(planes, table, config, PROCESSING)
    card = fitted.checkpoint.card
    assert card.patches == PATCHES
    assert card.learnt_from() == set(table.loc[table["role"] == "train", "subject"])
    predictions = predict_fold(planes, table, fitted.checkpoint, config)
    judged = table[table["role"] != "train"]
    assert predictions["subject"].tolist() == judged["subject"].tolist()
    assert predictions["target"].tolist() == judged["target"].tolist()
    subject = str(judged["subject"].iloc[0])
    data = EyeDataset(planes, [subject], slabs=SLABS, patches=PATCHES)
    from octa_kedro.training.checkpoint import restore_model

    model = restore_model(fitted.checkpoint)
    logits = predict_logits(model, loader(data, in_order(len(data), 4)), make_fabric(config))
    mean = torch.softmax(logits.double(), dim=1)[:, 1].mean()
    assert predictions["probability"].iloc[0] == pytest.approx(float(mean), rel=1e-4)


def test_wrong_patches_are_named(config):
    with pytest.raises(ValidationError, match="patches: en-face maps are cut into patches, volumes are not"):
        TrainingConfig.model_validate({"model": {"spatial_dims": 3}, "patches": {"n": 2}})
    with pytest.raises(ValidationError, match=r"patches\.sise"):
        TrainingConfig.model_validate(config.model_dump() | {"patches": {"n": 2, "sise": 16}})
