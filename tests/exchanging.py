"""Files that somebody has exchanged."""

from pathlib import Path


def exchange(one: Path, other: Path) -> None:
    """Two files with each other's content."""
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
