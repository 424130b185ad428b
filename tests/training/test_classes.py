"""More than two classes: the network follows the cohort."""

import numpy as np
import pandas as pd
import pytest
import torch

from octa_kedro.cohort.splits import fold_table
from octa_kedro.errors import ConfigError
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.engine.metrics import epoch_metrics
from octa_kedro.training.predict import predict_fold, probability_columns
from tests.training.conftest import MODEL_3D
from tests.training.test_training import PROCESSING

NAMES = ("NORMAL", "DR", "AMD")


@pytest.fixture
def three(splits: pd.DataFrame) -> pd.DataFrame:
    target = np.arange(len(splits)) // 2 % 3
    labels = np.array(NAMES)[target]
    fold = np.where(splits["held_out"], 0, np.arange(len(splits)) % 2 + 1)
    return fold_table(splits.assign(target=target, label=labels, disease=labels, fold=fold), 1)


def settings(**model: int) -> TrainingConfig:
    return TrainingConfig.model_validate({"model": MODEL_3D | model, "max_epochs": 1, "batch_size": 8, "device": "cpu"})


def test_three_classes_are_trained_and_predicted(volumes, three):
    fitted = fit_classifier(volumes, three, settings(), PROCESSING)
    assert fitted.checkpoint.card.model.classes == 3
    assert fitted.checkpoint.card.classes == NAMES
    assert fitted.history["val_auroc"].between(0, 1).all()
    predictions = predict_fold(volumes, three, fitted.checkpoint, settings())
    each = [f"probability_{name}" for name in NAMES]
    assert list(predictions.columns[-4:]) == ["probability", *each]
    np.testing.assert_allclose(predictions[each].sum(axis=1), 1)
    np.testing.assert_allclose(predictions["probability"], 1 - predictions["probability_NORMAL"])


def test_a_number_that_disagrees_is_named_with_the_remedy(volumes, three, table):
    with pytest.raises(ConfigError, match=r"model\.classes is 2, but cohort\.classes has 3 \(NORMAL, DR, AMD\); leave"):
        fit_classifier(volumes, three, settings(classes=2), PROCESSING)
    with pytest.raises(ConfigError, match=r"model\.classes is 3, but cohort\.classes has 2"):
        fit_classifier(volumes, table, settings(classes=3), PROCESSING)


def test_two_classes_need_one_column():
    shares = np.array([[0.25, 0.75], [1.0, 0.0]])
    columns = probability_columns(shares, ("a", "b"))
    assert columns.keys() == {"probability"}
    assert columns["probability"].tolist() == [0.75, 0.0]


def test_auroc_of_three_classes_is_the_mean_of_each_against_the_rest():
    logits = torch.log(torch.tensor([[0.6, 0.2, 0.2], [0.1, 0.65, 0.25], [0.5, 0.1, 0.4], [0.2, 0.5, 0.3]]))
    # NORMAL .6 over .1, .5, .2: 1. DR .65 over .2, .1, .5: 1. AMD .4 and .3 over .2 and .25: 1.
    assert epoch_metrics(logits, torch.tensor([0, 1, 2, 2]))["val_auroc"] == 1
    # NORMAL (third eye, .5) is below .6 only: 2/3. DR (second, .65): 1. AMD (.2 and .3 against .25 and .4): 1 of 4.
    assert epoch_metrics(logits, torch.tensor([2, 1, 0, 2]))["val_auroc"] == pytest.approx((2 / 3 + 1 + 1 / 4) / 3)
    assert np.isnan(epoch_metrics(logits, torch.tensor([0, 1, 1, 1]))["val_auroc"])
