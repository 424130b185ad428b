"""What faults are made of: each function returns a change of a project."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import openpyxl
import pandas as pd

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from tests.faults.projects import FIELD_MM, eye, lesion, subjects

Change = Callable[[Path], object]
TABLE = "eyes/subjects.csv"


def all_of(*changes: Change) -> Change:
    """Several changes, one after the other."""
    return lambda project: [change(project) for change in changes]


def rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """The table of eyes, changed."""
    return lambda project: change(subjects()).to_csv(project / TABLE, index=False)


def cell(row: int, column: str, text: str) -> Change:
    """One cell of the table of eyes."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = text
        return table

    return rows(change)


def cells(column: str, texts: list[str]) -> Change:
    """A column of the table of eyes."""
    return rows(lambda table: table.assign(**{column: texts}))


def one_more(**named: str) -> Change:
    """A ninth row, like the last one but for the named cells."""
    return rows(lambda table: pd.concat([table, table.iloc[-1:].assign(**named)]))


def content(path: str, data: bytes | str) -> Change:
    """A file with this content, also where there was none."""

    def write(project: Path) -> None:
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())

    return write


def cut(path: str, share: float = 0.5) -> Change:
    """The first matching file, cut short."""

    def shorten(project: Path) -> None:
        file = found(project, path)
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])

    return shorten


def flipped(path: str, share: float = 0.6) -> Change:
    """One bit of the first matching file, the other way round."""

    def flip(project: Path) -> None:
        file = found(project, path)
        data = bytearray(file.read_bytes())
        data[int(len(data) * share)] ^= 16
        file.write_bytes(bytes(data))

    return flip


def edited(path: str, change: Callable[[str], str]) -> Change:
    """The text of the first matching file, changed."""

    def edit(project: Path) -> None:
        file = found(project, path)
        text = file.read_text()
        file.write_text(new := change(text))
        assert new != text, path

    return edit


def table_edited(path: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """A CSV table that a run has written, changed as a spreadsheet program would."""

    def edit(project: Path) -> None:
        file = found(project, path)
        lines = file.read_text().splitlines(keepends=True)
        comments = "".join(line for line in lines if line.startswith("#"))
        table = pd.read_csv(file, dtype=str, keep_default_na=False, comment="#")
        file.write_text(comments + change(table).to_csv(index=False))

    return edit


def removed(path: str) -> Change:
    """The first matching file or folder, deleted."""

    def remove(project: Path) -> None:
        file = found(project, path)
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return remove


def copied(source: str, target: str) -> Change:
    """The first matching file, also under another name."""
    return lambda project: shutil.copyfile(found(project, source), project / target)


def exchanged(one: str, other: str) -> Change:
    """Two files with each other's content."""

    def exchange(project: Path) -> None:
        first, second = found(project, one), found(project, other)
        data = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(data)

    return exchange


def mode(path: str, bits: int) -> Change:
    """Other permissions of a file or folder."""
    return lambda project: (project / path).chmod(bits)


def image(index: int, change: Callable[[np.ndarray], np.ndarray], name: str = "") -> Change:
    """The image of an eye, changed, in its own file or another one."""

    def write(project: Path) -> None:
        array = change(eye(index))
        write_nifti(project / "eyes" / (name or f"e{index}.nii.gz"), array, scan_affine(array.shape[:3], FIELD_MM))

    return write


def header(index: int, change: Callable[[nib.Nifti1Image], nib.Nifti1Image | None], name: str = "") -> Change:
    """The image of an eye as nibabel writes it, with another header."""

    def write(project: Path) -> None:
        plain = nib.Nifti1Image(eye(index), scan_affine(eye(index).shape, FIELD_MM))
        plain.header.set_xyzt_units("mm")
        nib.save(change(plain) or plain, project / "eyes" / (name or f"e{index}.nii.gz"))

    return write


def mask(index: int, array: np.ndarray, shift_mm: float = 0.0) -> Change:
    """A lesion mask of an eye."""
    affine = scan_affine(lesion().shape, FIELD_MM)
    affine[0, 3] += shift_mm
    return lambda project: write_nifti(project / f"eyes/m{index}.nii.gz", array, affine)


def workbook(change: Callable[[openpyxl.Workbook], object]) -> Change:
    """The table of eyes as a workbook, changed."""

    def write(project: Path) -> None:
        (project / TABLE).unlink()
        book = openpyxl.Workbook()
        assert book.active is not None
        for row in [list(subjects()), *subjects().to_numpy().tolist()]:
            book.active.append(row)
        change(book)
        book.save(project / "eyes/subjects.xlsx")

    return write


def sheets(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """The label sheets of a release, changed."""

    def write(project: Path) -> None:
        for path in sorted((project / "data/test/01_raw/phantom").glob("*/Text labels.xlsx")):
            change(pd.read_excel(path)).to_excel(path, index=False)

    return write


def found(project: Path, pattern: str) -> Path:
    """The newest version of a file, or the first of the eyes."""
    paths = sorted(project.glob(pattern))
    assert paths, f"{pattern}: there is none"
    return paths[0]
