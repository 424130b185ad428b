"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a small file in full or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(f".partial-{os.getpid()}-{path.name}")
    partial_path.write_text(text)
    partial_path.replace(path)
