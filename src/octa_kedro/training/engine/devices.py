"""CPU, one GPU, or several of either: Fabric for the parameters device, devices and precision."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric

from octa_kedro.errors import ConfigError
from octa_kedro.training.config import FittingConfig

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is the first CUDA device if there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def make_fabric(config: FittingConfig) -> Fabric:
    """Fabric on the configured devices, in the configured precision.

    Several devices train by DistributedDataParallel, each in a process started afresh (`ddp_spawn`): a plain `ddp`
    would run the whole pipeline once a device. ConfigError for devices that are not there, or a precision they lack.
    """
    device = pick_device(config.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: there is no CUDA device; set it to auto or cpu")
    if device.type == "cuda" and config.devices > torch.cuda.device_count():
        raise ConfigError(f"devices: {config.devices} asked for, but there are {torch.cuda.device_count()}")
    if device.type == "cpu" and config.precision == "fp16":
        raise ConfigError("precision: fp16 is for GPUs; set it to fp32")
    if config.batch_size < config.devices:
        raise ConfigError(f"batch_size: {config.batch_size} images cannot be shared by {config.devices} devices")
    one = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(
        accelerator=device.type,
        devices=one if config.devices == 1 else config.devices,
        strategy="auto" if config.devices == 1 else "ddp_spawn",
        precision=PRECISIONS[config.precision],
    )


@contextmanager
def shared_threads(fabric: Fabric) -> Iterator[None]:
    """On a CPU, the processes of one training share its cores."""
    before = torch.get_num_threads()
    if fabric.device.type == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // fabric.world_size))
    try:
        yield
    finally:
        torch.set_num_threads(before)
