"""A search trains, so its tests use the small images of the training tests."""

from tests.training.conftest import config, encoder_config, planes, splits, table, volumes

__all__ = ["config", "encoder_config", "planes", "splits", "table", "volumes"]
