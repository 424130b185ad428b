"""Identifiers for eyes whose files are named by patients."""

from pathlib import Path

import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.discreet import DiscreetSource, open_source
from octa_kedro.io.hiding import hide_folder, hide_names, relative_to
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.pseudonyms import Pseudonyms
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.source import Source
from octa_kedro.io.volume import scan_affine
from tests.io.test_damaged import VOXELS, write_nifti


def table(folder: Path, text: str) -> Pseudonyms:
    path = folder.parent / f"{folder.name}_pseudonyms.csv"
    path.write_text(text, encoding="utf-8")
    return Pseudonyms.read(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two eyes of Meier, whose files say so."""
    for n, name in enumerate(("Meier Anna OD", "Meier Anna OS")):
        write_nifti(tmp_path / "scans" / f"{name}.nii.gz", VOXELS + n, scan_affine(VOXELS.shape, (3.0, 2.5, 2.0)))
    return tmp_path / "scans"


def opened(folder: Path, text: str) -> DiscreetSource:
    return open_source(lambda: NiftiFolder(folder, anatomy="any"), folder, table(folder, text))


def test_eyes_have_the_subjects_of_the_table(folder: Path):
    source = opened(folder, "name,subject\nMeier Anna OS,e2\nMeier Anna OD.nii.gz,e1\nSchulz,e3\n")
    assert source.subjects() == ["e1", "e2"]
    assert (source.volume("e1", "OCTA").array == VOXELS).all()
    assert source.volume("e2", "OCTA").source == "e2"
    assert source.names("e1") == ("e1",)
    with pytest.raises(DataError, match="subject e1: not in"):
        source.volume("Meier Anna OD", "OCTA")


def test_results_depend_on_the_pseudonym_that_they_hold(folder: Path):
    source = opened(folder, "name,subject\nMeier Anna OD,e1\nMeier Anna OS,e2\n")
    other = opened(folder, "name,subject\nMeier Anna OD,f1\nMeier Anna OS,e2\n")
    assert source.fingerprint("e1", "OCTA") != other.fingerprint("f1", "OCTA")
    assert source.fingerprint("e2", "OCTA") == other.fingerprint("e2", "OCTA")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Meier Anna OD,e1\n", r"1 of 2 eyes of the source have no row: number 2 of them in the order of their names"),
        ("Meier Anna OD,e1\nMeier Anna OD,e2\n", r"rows 2 and 3 have one name"),
        ("Meier Anna OD,e1\nMeier Anna OS,e1\n", r"rows 2 and 3 have one subject"),
        ("Meier Anna OD,e1\nMeier Anna OS,E1\n", r"rows 2 and 3 have a subject that a person would take for one"),
        ("Meier Anna OD,e1\nMeier Anna OD.nii.gz,e2\nMeier Anna OS,e3\n", r"rows 2 and 3 name one eye but give it"),
        ("Meier Anna OD,..\n", r"row 2: its subject cannot name a file"),
        ("Meier Anna OD,\n", r"row 2 has no subject"),
        ("Meier Anna OD,a/b\n", r"row 2: its subject cannot name a file: it holds /"),
        ("Meier Anna OD,CON\n", r"row 2: its subject cannot name a file: it is the name of a device"),
    ],
)
def test_a_table_that_does_not_fit_is_told_by_rows_without_a_name(folder: Path, text: str, words: str):
    with pytest.raises(DataError, match=rf"pseudonyms\.csv: {words}") as told:
        opened(folder, "name,subject\n" + text).subjects()
    assert "Meier" not in str(told.value)


def test_a_damaged_eye_is_called_by_its_pseudonym(folder: Path):
    (folder / "Meier Anna OD.nii.gz").write_bytes(b"Meier Anna")
    source = opened(folder, "name,subject\nMeier Anna OD,e1\nMeier Anna OS,e2\n")
    with pytest.raises(DataError, match=r"^e1: ") as told:
        source.check("e1", "OCTA")
    assert "Meier" not in str(told.value)
    assert str(folder) not in str(told.value)


def test_patients_of_a_table_need_pseudonyms_too(folder: Path):
    rows = "".join(f"Meier Anna {side}.nii.gz,x,Meier Anna\n" for side in ("OD", "OS"))
    (folder / "subjects.csv").write_text("path,label,patient\n" + rows)
    eyes = "Meier Anna OD,e1{}\nMeier Anna OS,e2{}\n"
    for read in (DiscreetSource.labels, DiscreetSource.patients):
        with pytest.raises(DataError, match="has a column patient, which would be kept as it is"):
            read(opened(folder, "name,subject\n" + eyes.format("", "")))
    source = opened(folder, "name,subject,patient\n" + eyes.format(",p1", ",p1"))
    assert source.labels().to_numpy().tolist() == [["e1", "x", "p1"], ["e2", "x", "p1"]]
    assert source.patients() == {"e1": "p1", "e2": "p1"}


def test_a_folder_that_cannot_be_opened_as_a_source_names_no_file(folder: Path):
    (folder / "meier anna od.nii").touch()
    with pytest.raises(DataError, match="differ only in capitals") as told:
        opened(folder, "name,subject\nMeier Anna OS,e2\n")
    assert "meier" not in str(told.value).lower()


def test_without_pseudonyms_what_is_said_of_an_eye_is_relative_to_the_source(folder: Path):
    source = open_source(lambda: NiftiFolder(folder, anatomy="any"), folder)
    assert source.volume("Meier Anna OD", "OCTA").source == "Meier Anna OD.nii.gz"
    assert source.called(folder / "a" / "b.nii") == "a/b.nii"
    (folder / "Meier Anna OD.nii.gz").write_bytes(b"none")
    with pytest.raises(DataError, match=r"^Meier Anna OD\.nii\.gz: is not compressed"):
        source.check("Meier Anna OD", "OCTA")
    with pytest.raises(DataError, match="/scans: has no table"):
        source.labels()


def test_names_in_words_are_replaced_as_a_whole():
    known = {"Meier": "e1", "scans/Meier.vol": "e1", "Meier_Anna": "e2", "7": "e3", "M\u00fcller": "e4"}
    assert hide_names("scans/Meier.vol, MEIER and Meier_Anna; Meiers", known) == "e1, e1 and e2; Meiers"
    assert hide_names("subject 7 has 7 voxels", known) == "subject e3 has 7 voxels"
    assert hide_names("Mu\u0308ller: x", known) == "e4: x"


def test_folders_in_words_are_those_of_the_source():
    root = Path("/data/eyes")
    assert hide_folder("/data/eyes/a b/1.vol and /data/eyes2/c", root) == "a b/1.vol and /data/eyes2/c"
    assert hide_folder("nothing below /data/eyes; add it", root) == "nothing below the source; add it"
    assert relative_to("/data/eyes/a/b.vol", root) == "a/b.vol"
    assert relative_to("/home/somebody/b.vol", root) == "b.vol"


def test_the_wrapper_asks_its_reader_for_all_that_a_source_has():
    asked = {name for name in vars(Source) if not name.startswith("_")}
    assert asked <= vars(DiscreetSource).keys()


def test_files_beside_the_table_are_not_named_by_patients(folder: Path):
    (folder / "subjects.csv").write_text("subject,path\nMeier Anna OD,Meier Anna OD.nii.gz\n")
    write_nifti(folder / "Schulz.nii.gz", VOXELS + 5, scan_affine(VOXELS.shape, (3.0, 2.5, 2.0)))
    source = opened(folder, "name,subject\nMeier Anna OD,e1\nMeier Anna OS,e2\n")
    assert source.subjects() == ["e1"]
    assert source.unlisted() == ["e2", "unlisted_2"]


def test_folders_and_comments_of_a_release_name_nobody(release_copy: Path):
    """The eye's folder, the part folder above it and a file in it are named by the patient, as are comments behind the
    pixels of bitmaps."""
    base = release_copy / "part 1" / "Meier Berta" / "OCTA_6mm"
    base.parent.mkdir(parents=True)
    (release_copy / "OCTA_6mm").rename(base)
    own = min((base / "OCTA").iterdir()).name
    for modality in ("OCT", "OCTA"):
        folder = (base / modality / own).rename(base / modality / "Meier Anna")
        for bitmap in folder.iterdir():
            bitmap.write_bytes(bitmap.read_bytes() + b"Meier Anna")
    rows = "".join(f"{path.name},e{n}\n" for n, path in enumerate(sorted(release_copy.glob("**/OCTA/*"))))
    names = table(release_copy, f"name,subject\n{rows}{own},listed\n")  # the label sheet still has that name
    source = open_source(lambda: Octa500Release(release_copy, anatomy="any"), release_copy, names)
    eye = names.entries["Meier Anna"].subject
    assert source.volume(eye, "OCTA").source == eye
    (base / "OCTA" / "Meier Anna" / "1.bmp").write_bytes(b"Meier")
    with pytest.raises(DataError, match=rf"^\(a file\)/\(a file\)/OCTA_6mm/OCTA/{eye}/1\.bmp: ") as damaged:
        source.volume(eye, "OCTA")
    (base / "OCTA" / "Meier Anna" / "Meier scan.bmp").touch()
    with pytest.raises(DataError, match="named by its number") as misnamed:
        source.volume(eye, "OCTA")
    assert "Meier" not in f"{damaged.value} {misnamed.value}"


def test_files_of_one_name_in_two_folders_need_a_row_each(folder: Path):
    for side in ("OD", "OS"):
        write_nifti(folder / side / "Meier.nii", VOXELS + len(side), scan_affine(VOXELS.shape, (3.0, 2.5, 2.0)))
    (folder / "subjects.csv").write_text("subject,path\nr,OD/Meier.nii\nl,OS/Meier.nii\n")
    with pytest.raises(DataError, match=r"row 2 names more than one eye of the source; give each a row of its own"):
        opened(folder, "name,subject\nMeier,e1\n").subjects()
    source = opened(folder, "name,subject\nOD/Meier.nii,e1\nOS/Meier.nii,e2\n")
    assert source.subjects() == ["e1", "e2"]
    (folder / "OD" / "Meier.nii").write_bytes(b"none")
    with pytest.raises(DataError, match=r"^e1: ") as told:
        source.volume("e1", "OCTA")
    assert "Meier" not in str(told.value)
