"""Files as devices write them, named by patients and with names of patients in every free text, and how to find these
again in whatever was made of them."""

import base64
import gzip
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
from PIL import Image
from pydicom.dataset import Dataset

from tests.io import test_e2e, test_heidelberg, test_topcon, test_zeiss
from tests.io.dicom_files import DicomEye

MARK = "ZZPATIENTZZ"
RAW = MARK.encode()
SHAPE = (9, 9, 16)
VOXELS = np.random.default_rng(0).integers(1, 255, SHAPE).astype(np.uint8)
BASE64 = re.compile(rb"[A-Za-z0-9+/]{80,}={0,2}")


def mark_everything(data: Dataset) -> None:
    """Names, dates and identifiers of the file, of its meta information, and private ones; many are no valid values."""
    for name in (
        "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "InstitutionName", "ReferringPhysicianName",
        "StudyDescription", "SeriesDescription", "ImageComments", "DeviceSerialNumber", "StudyDate", "PatientAge",
    ):  # fmt: skip
        setattr(data, name, MARK)
    data.private_block(0x0009, MARK, create=True).add_new(1, "LO", MARK)
    data.file_meta.ImplementationVersionName = data.file_meta.SourceApplicationEntityTitle = MARK


def wrong_value(data: Dataset) -> None:
    mark_everything(data)
    data.ImageLaterality = MARK


def save_dicom(path: Path) -> None:
    DicomEye(shown=VOXELS, change=mark_everything).write(path)


def save_wrong_dicom(path: Path) -> None:
    DicomEye(shown=VOXELS, change=wrong_value).write(path)


def save_vol(path: Path) -> None:
    data = bytearray(test_heidelberg.Writer()(VOXELS / 255))
    for place in range(300, 2000, len(RAW) + 1):  # where patients, visits and programs stand
        data[place : place + len(RAW)] = RAW
    path.write_bytes(data)


def save_wrong_vol(path: Path) -> None:
    path.write_bytes(test_heidelberg.Writer(version=RAW, side=RAW[:4])(VOXELS / 255))


def save_e2e(path: Path) -> None:
    writer = test_e2e.Writer().volume(test_e2e.random_voxels((9, 9, 16))[0])
    writer.chunks += [((7, -1, -1, -1), 9, RAW.ljust(131, b"\0")), ((7, 1, -1, -1), 7, RAW * 9)]
    writer.save(path)


def save_fda(path: Path) -> None:
    path.write_bytes(test_topcon.fda_bytes(VOXELS, PATIENT_INFO_02=RAW * 4, HW_INFO_03=RAW * 4, CAPTURE_INFO=RAW))


def save_zeiss(path: Path) -> None:
    test_zeiss.write(path, test_zeiss.random_voxels(9, 9, 1024))


FILES: dict[str, Callable[[Path], None]] = {
    f"{MARK}_a.dcm": save_dicom,
    f"{MARK}_b.vol": save_vol,
    f"{MARK}_c.e2e": save_e2e,
    f"{MARK}_d.fda": save_fda,
    f"{MARK}, Anna_Macular Cube 9x9_1-2-2020_3-4-5_OD_sn1_cube_z.img": save_zeiss,
    f"{MARK}_f.dcm": save_wrong_dicom,
    f"{MARK}_g.vol": save_wrong_vol,
}


def write_clinic(folder: Path, files: Iterable[str] = FILES) -> None:
    """Some of the `FILES`, whole and cut short, with a workbook that lists them; beside the folder, whose name should
    hold the mark too, the table of pseudonyms."""
    (folder / MARK).mkdir(parents=True)
    names = []
    for name in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of values that are not valid, as the reader must not
            FILES[name](folder / name)
        cut = folder / MARK / f"cut_{name}"
        cut.write_bytes((folder / name).read_bytes()[:-200])
        names += [name, f"{MARK}/{cut.name}"]
    book = openpyxl.Workbook()
    book.properties.creator = book.properties.title = book.properties.description = MARK
    sheet = book.active
    sheet.title = MARK
    sheet.append(["path", "subject", "patient", "field_x_mm", "field_y_mm", "depth_mm", "Patient's name"])
    for name in names:
        sheet.append([name, Path(name).name, f"{MARK} {name[-8:]}", "3", "3", "2", MARK])
    book.save(folder / "subjects.xlsx")
    rows = {"name": [Path(name).name for name in names], "subject": [f"eye{n}" for n in range(len(names))]}
    pd.DataFrame(rows | {"patient": rows["subject"]}).to_csv(folder.parent / "pseudonyms.csv", index=False)


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names, and bytes without compression, of all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path.relative_to(folder).as_posix(), gzip.decompress(data) if path.suffix == ".gz" else data
            if path.suffix == ".png":
                with Image.open(path) as image:
                    yield path.name, repr(image.info).encode()  # texts, also compressed ones
            if path.suffix == ".html":
                for inside in BASE64.findall(data):
                    yield path.name, base64.b64decode(inside)
            if zipfile.is_zipfile(path):
                yield path.name, b"".join(map(zipfile.ZipFile(path).read, zipfile.ZipFile(path).namelist()))


def holding(folder: Path, *words: str) -> list[str]:
    """Files below a folder of which the name or the content holds one of the words, in whatever case or UTF-16."""
    sought = [re.compile(re.escape(w.encode(code)), re.IGNORECASE) for w in words for code in ("utf-8", "utf-16-le")]
    return [name for name, data in contents(folder) if any(one.search(name.encode() + b"\0" + data) for one in sought)]
