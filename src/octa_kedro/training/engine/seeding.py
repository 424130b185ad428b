"""Random streams: every random decision has a generator of its own, named by its purpose."""

import random
import zlib

import numpy as np
import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose (for instance ``"augmentation", fold``) under the run's `seed`."""
    words = [zlib.crc32(str(part).encode()) for part in purpose]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A torch generator (CPU) for one purpose."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def seed_everything(seed: int, *purpose: str | int) -> None:
    """Seed what draws from global state: weight initialisation and dropout."""
    derived = derive_seed(seed, *purpose)
    random.seed(derived)
    torch.manual_seed(derived)
