"""Every reader with a small whole file for it: how that is written, and how it is read."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import nibabel as nib
import numpy as np
import openpyxl
from PIL import Image
from pydicom import uid
from scipy.io import savemat

from octa_kedro.io.bmp import read_classes
from octa_kedro.io.bscans import check_sizes, list_bscans, read_bscans
from octa_kedro.io.eye_files import find_eye_files
from octa_kedro.io.matlab import read_matlab
from octa_kedro.io.nifti import check_nifti, read_nifti, write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.io.subject_table import SubjectTable
from octa_kedro.io.tables import read_table
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.volume import scan_affine
from tests.conftest import write_bscans
from tests.fuzz import targets_of_runs
from tests.io import test_e2e, test_heidelberg, test_topcon, test_zeiss
from tests.io.dicom_files import DicomEye

SHAPE = (6, 5, 12)
VOXELS = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
AFFINE = scan_affine(SHAPE, (3.0, 2.5, 2.0))
ZEISS = "P1_Macular Cube 6x5_1-2-2020_3-4-5_OD_sn1_cube_z.img"
TABLE = 'subject,path,label,laterality,patient,age\neye,eye.nii,NORMAL,OD,p1,61\nb,b.nii,"A, B",OS,,7.5\n'
ROWS = [row.split(",") for row in ("ID,Disease,Sex,OS/OD,Age", "10001,NORMAL,F,OD,50", "10002,DR,M,OS,61")]


class Target(NamedTuple):
    """A file of this name: what writes it whole, and what reads it."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]


def vendor(path: Path) -> None:
    """All that is asked of an eye in a vendor's file."""
    source = VendorFolder(sized(path), anatomy="any")
    (subject,) = source.subjects()
    modality = "OCTA" if "Angio" in path.name else "OCT"
    source.check(subject, modality)
    source.volume(subject, modality)
    source.surfaces(subject)


def flow(path: Path) -> None:
    """The flow of a vendor's file that holds both."""
    VendorFolder(sized(path), anatomy="any").volume("eye", "OCTA")


def sized(path: Path) -> Path:
    """A file, or a table that gives the size of its scan where the file does not."""
    table = path.with_name("subjects.csv")
    if path.suffix == ".e2e" and not table.is_file():
        table.write_text(f"subject,path,field_x_mm,field_y_mm\neye,{path.name},3,2\n")
    return table if path.suffix == ".e2e" else path


def nifti(path: Path) -> None:
    """A scan in a NIfTI file."""
    source = NiftiFolder(path, anatomy="any")
    source.check("eye", "OCTA")
    source.volume("eye", "OCTA")
    check_nifti(path)
    read_nifti(path)


def parts(path: Path) -> None:
    """A lesion or surfaces over a whole scan."""
    table, what = path.with_name("subjects.csv"), path.name.split(".")[0]
    if not table.is_file():
        write_nifti(path.with_name("eye.nii"), VOXELS, AFFINE)
        table.write_text(f"subject,path,{what}_path\neye,eye.nii,{path.name}\n")
    source = NiftiFolder(table, anatomy="any")
    source.lesion("eye") if what == "lesion" else source.surfaces("eye")


def bscans(path: Path) -> None:
    """A folder of B-scans, one of which is damaged."""
    if not path.with_name("1.bmp").is_file():
        write_bscans(path.parent, VOXELS[:, :3])
    check_sizes(list_bscans(path.parent))
    read_bscans(path.parent)
    read_classes(path)


def subjects(path: Path) -> None:
    """A table of eyes."""
    for name in ("eye.nii", "b.nii"):
        path.with_name(name).touch()
    table = SubjectTable(path, (".nii", ".nii.gz"))
    table.labels()
    for subject in table.subjects():
        table.laterality(subject)
        table.size_mm(subject)
        table.files(subject, "OCT")


def eye_list(path: Path) -> None:
    """A list of files."""
    find_eye_files(path, (".nii",))


def save_book(path: Path) -> None:
    """A workbook with styles, a merged cell, a formula and a date."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in ROWS:
        sheet.append(row)
    sheet["E2"].number_format = "000"
    sheet["C3"] = None
    sheet.merge_cells("B8:C9")
    sheet.row_dimensions[3].hidden = True
    book.create_sheet("notes").append(["a", "b"])
    book.save(path)


def save_hdf5(path: Path, **how: object) -> None:
    """A file of MATLAB 7.3, as far as it counts."""
    with h5py.File(path, "w") as file:
        file.create_dataset("Layer", data=np.arange(120.0).reshape(4, 5, 6), **how)


def save_fda(path: Path, **how: bool) -> None:
    """A Topcon file."""
    path.write_bytes(test_topcon.fda_bytes(VOXELS, **how))


def save_vol(path: Path) -> None:
    """A Heidelberg file."""
    path.write_bytes(test_heidelberg.Writer()(VOXELS / 255))


def save_e2e(path: Path) -> None:
    """A Heidelberg data base with reflectance and flow."""
    voxels, flow_ = test_e2e.random_voxels()
    test_e2e.Writer().volume(voxels, flow=flow_).save(path)


def save_dicom(path: Path, syntax: uid.UID, **how: object) -> None:
    """A multi-frame file."""
    DicomEye(syntax=syntax, **how).write(path)  # type: ignore[arg-type]


def save_pictures(path: Path, kind: str) -> None:
    """A multi-frame file whose frames are pictures of Pillow's format `kind`."""
    from tests.fuzz.encapsulated import save_encapsulated

    save_encapsulated(path, kind)


def save_scan(path: Path) -> None:
    """A NIfTI volume."""
    write_nifti(path, VOXELS, AFFINE)


def save_mask(path: Path) -> None:
    """A mask of a lesion."""
    write_nifti(path, (VOXELS > 250).astype(np.uint8), AFFINE)


def save_surfaces(path: Path) -> None:
    """Two surfaces in millimetres."""
    write_nifti(path, np.full((6, 5, 2), (0.4, 1.2), np.float32), AFFINE)


def save_mat(path: Path, *, packed: bool) -> None:
    """A MATLAB file of the format 5."""
    savemat(path, {"other": "text", "Layer": np.ones((4, 5, 6))} if not packed else {"Layer": np.ones((4, 5, 6))},
            do_compression=packed)  # fmt: skip


def save_picture(path: Path, mode: str, kind: str) -> None:
    """A picture of the size of the other B-scans."""
    Image.fromarray(np.ascontiguousarray(VOXELS[:, 1].T)).convert(mode).save(path, kind)


def layers(path: Path) -> None:
    """A variable of a MATLAB file."""
    read_matlab(path, "Layer")


def label_sheet(path: Path) -> None:
    """A label sheet of the release."""
    read_table(path, ("ID", "Disease"), optional=("Sex", "OS/OD", "Age"))


def write_words(words: str) -> Callable[[Path], object]:
    """What writes a text file."""
    return lambda path: path.write_text(words)


DICOM = {
    "": uid.ExplicitVRLittleEndian,
    "_implicit": uid.ImplicitVRLittleEndian,
    "_big": uid.ExplicitVRBigEndian,
    "_rle": uid.RLELossless,
    "_deflated": uid.DeflatedExplicitVRLittleEndian,
}
NOTE = {"eye": {"file": "a.nii", "key": "0" * 16, "n": [1, 2.5, None, True]}}

TARGETS: dict[str, Target] = {
    "vol": Target("eye.vol", save_vol, vendor),
    "vol_flow": Target("eye_Angio.vol", save_vol, vendor),
    "e2e": Target("eye.e2e", save_e2e, vendor),
    "e2e_flow": Target("eye.e2e", save_e2e, flow),
    "fda": Target("eye.fda", save_fda, vendor),
    "fda_raw": Target("eye.fda", partial(save_fda, jpeg=False), vendor),
    "zeiss": Target(ZEISS, lambda path: test_zeiss.write(path, test_zeiss.random_voxels(6, 5, 1024)), vendor),
    "optovue": Target("eye.oct", lambda path: path.write_bytes(bytes(500)), vendor),
    **{f"dicom{name}": Target("eye.dcm", partial(save_dicom, syntax=syntax), vendor) for name, syntax in DICOM.items()},
    "dicom_jpeg": Target("eye.dcm", partial(save_pictures, kind="JPEG"), vendor),
    "dicom_jpeg2000": Target("eye.dcm", partial(save_pictures, kind="JPEG2000"), vendor),
    "nifti": Target("eye.nii", save_scan, nifti),
    "nifti_gz": Target("eye.nii.gz", save_scan, nifti),
    "nifti_hdr": Target("eye.hdr", lambda path: nib.save(nib.Nifti1Pair(VOXELS, AFFINE), path), check_nifti),
    "nifti_mask": Target("lesion.nii", save_mask, parts),
    "nifti_surfaces": Target("surfaces.nii.gz", save_surfaces, parts),
    "bscans": Target("2.bmp", partial(save_picture, mode="L", kind="BMP"), bscans),
    "bscans_colour": Target("2.bmp", partial(save_picture, mode="RGB", kind="BMP"), bscans),
    "bscans_palette": Target("2.bmp", partial(save_picture, mode="P", kind="BMP"), bscans),
    "bscans_bits": Target("2.bmp", partial(save_picture, mode="1", kind="BMP"), bscans),
    "bscans_png": Target("2.bmp", partial(save_picture, mode="L", kind="PNG"), bscans),
    "bscans_tiff": Target("2.bmp", partial(save_picture, mode="L", kind="TIFF"), bscans),
    "bscans_rle": Target("2.bmp", lambda path: path.write_bytes(targets_of_runs.rle_bitmap(6, 12)), bscans),
    "mat5": Target("5.mat", partial(save_mat, packed=False), layers),
    "mat5_packed": Target("5.mat", partial(save_mat, packed=True), layers),
    "mat73": Target("7.mat", save_hdf5, layers),
    "mat73_packed": Target("7.mat", partial(save_hdf5, compression="gzip", chunks=(2, 5, 6), shuffle=True), layers),
    "labels_xlsx": Target("Text labels.xlsx", save_book, label_sheet),
    "labels_csv": Target("Text labels.csv", write_words("\n".join(map(",".join, ROWS))), label_sheet),
    "subjects_csv": Target("subjects.csv", write_words(TABLE), subjects),
    "subjects_tsv": Target("subjects.tsv", write_words(TABLE.replace(",", "\t")), subjects),
    "list_txt": Target("list.txt", write_words("# eyes\na.nii\nsub/b.nii\n"), eye_list),
    "list_yml": Target("list.yml", write_words("- a.nii\n- &x sub/b.nii\n- c.nii\n"), eye_list),
    "note": Target("note.json", lambda path: write_note(path, NOTE), read_note),
    **{name: Target(*rest) for name, rest in targets_of_runs.TARGETS.items()},
}
