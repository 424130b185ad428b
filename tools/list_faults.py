"""Write the list of faults in docs/guarantees.md from the tables in tests/faults/.

    python tools/list_faults.py            # write the list
    python tools/list_faults.py --check    # fail if the list is out of date

Everything between the two marks of the page is written by this program; the rest is written by hand.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = "docs/guarantees.md"
BEGIN, END = "<!-- written by tools/list_faults.py: begin -->", "<!-- written by tools/list_faults.py: end -->"
GROUPS = {
    "input": "what is handed in: folders, tables, workbooks, images",
    "process": "what is asked for, and runs that are stopped",
    "disk": "space, permission, read errors",
    "damage": "files that the program has written, changed afterwards",
    "security": "what somebody may have made on purpose",
    "leaks": "what would let a network be judged on what it has learnt from",
}
ANSWERS = {
    "refused": "refused",
    "told": "the run goes on and says so",
    "harmless": "same results as without it",
    "stopped": "the next run ends in the same results",
}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the list into the page, or with ``--check`` return 1 if the stored one is not what the tables give."""
    path = root / PAGE
    text = path.read_text(encoding="utf-8")
    written = with_list(text, faults())
    if "--check" not in arguments:
        path.write_text(written, encoding="utf-8")
        return 0
    if written == text:
        return 0
    sys.stderr.write(f"{PAGE} is out of date; run python tools/list_faults.py\n")
    return 1


def faults() -> dict[str, list[Any]]:
    """Group -> the rows of its tables, in the order in which they stand there."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    found: dict[str, list[Any]] = {group: [] for group in GROUPS}
    for file in sorted((ROOT / "tests/faults").glob("test_*.py")):
        module = importlib.import_module(f"tests.faults.{file.stem}")
        if hasattr(module, "FAULTS"):
            found[module.GROUP] += module.FAULTS
    return found


def with_list(text: str, found: dict[str, list[Any]]) -> str:
    """The page with the list between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE}: has no line '{BEGIN}' with '{END}' below it")
    return f"{before}{BEGIN}\n\n{format_list(found)}\n{END}{after}"


def format_list(found: dict[str, list[Any]]) -> str:
    """A count of all faults, then a table for each group."""
    rows = [row for group in found.values() for row in group]
    quick, open_ = sum(row.quick for row in rows), sum(bool(row.known) for row in rows)
    parts = [f"{len(rows)} faults; {quick} of them are tried by `make test`, all by `make test-slow`."]
    if open_:
        parts[0] += f"\n{open_} not yet answered as they should be: the table says why."
    for group, own in found.items():
        lines = [f"### {group.capitalize()}: {GROUPS[group]}", "", "| fault | what happens |", "|---|---|"]
        parts.append("\n".join([*lines, *(_row(row) for row in own)]))
    return "\n\n".join(parts) + "\n"


def _row(fault: Any) -> str:
    answer = f"**not yet right**: {fault.known}" if fault.known else ANSWERS[fault.ends]
    name = fault.name.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")
    return f"| {name} | {answer} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
