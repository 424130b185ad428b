"""Errors for a training that cannot continue: what happened, where, and which parameter to change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from octa_kedro.errors import ConfigError, DivergedError, lacks_memory


def not_finite(where: str, what: str, subjects: Sequence[str]) -> DivergedError:
    """The error for a loss or gradient that is NaN or infinite."""
    return DivergedError(
        f"{where}: the {what} is not finite; subjects of that batch: {', '.join(subjects)}. Lower "
        "optimiser.learning_rate or set clip_norm; if it stays with these subjects, look at their images. The last "
        "stored state is kept"
    )


@contextmanager
def reporting_lack_of_memory(where: str, shape: tuple[int, ...]) -> Iterator[None]:
    """ConfigError with the batch, its size and what to lower, if memory runs out in the block."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's own error is a RuntimeError, and its CPU allocator's too
        if not lacks_memory(error):
            raise
        images, *size = shape[0], *shape[2:]
        raise ConfigError(
            f"{where}: out of memory with {images} images of {' x '.join(map(str, size))}; lower batch_size (raise "
            "accumulate by as much and nothing else changes), model.width or processing.grid, or set precision to bf16 "
            "on a GPU"
        ) from error
