"""Names in a table of eyes."""

from pathlib import Path

import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.nifti_folder import NiftiFolder


def source(folder: Path, text: str, name: str = "subjects.csv") -> NiftiFolder:
    (folder / name).write_text(text, encoding="utf-8")
    return NiftiFolder(folder / name)


def test_names_lose_what_cannot_be_seen_and_paths_do_not(tmp_path: Path):
    (tmp_path / "a  b\u200b.nii").touch()
    eyes = source(tmp_path, "subject,path,label,patient\n x\u00a0 1\u200b,a  b\u200b.nii,gru\u0308n,p  1\n")
    labels = eyes.labels()
    assert labels.to_numpy().tolist() == [["x 1", "gr\u00fcn", "p 1"]]
    assert eyes.table.file("x 1", "OCTA").is_file()


def test_a_file_is_found_in_either_form_of_its_letters(tmp_path: Path):
    (tmp_path / "gru\u0308n.nii").touch()
    assert source(tmp_path, "subject,path\na,gr\u00fcn.nii\n").table.file("a", "OCTA").is_file()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "P07,a.nii,0,\np07,b.nii,1,\n",
            r"subject 'P07' \(row 2\) and 'p07' \(row 3\) differ only in capitals, spaces",
        ),
        ("a,a.nii,0,P07\nb,b.nii,1,p07\n", r"patient 'P07' \(row 2\) and 'p07' \(row 3\) differ only"),
        ("a,a.nii,0,P07\nb,b.nii,1,P 07\n", "patient 'P07' .* and 'P 07'"),
        (
            "a,a.nii,0,\na,b.nii,1,\n",
            r"subject a occurs more than once \(rows 2 and 3\); keep one row",
        ),
        ("a,,0,\n", "row 2 has no path"),
        ("a/b,a.nii,0,\n", "row 2: subject 'a/b' cannot name a file"),
        ("..,a.nii,0,\n", "row 2: subject '..' cannot name a file"),
        ("a\x07b,a.nii,0,\n", "row 2: subject 'a.x07b' cannot name a file"),
        ("nul.x,a.nii,0,\n", "row 2: subject 'nul.x' cannot name a file: it is the name of a device on Windows"),
        ("a:b,a.nii,0,\n", "row 2: subject 'a:b' cannot name a file: it holds :; write it without"),
        ("a.,a.nii,0,\n", "row 2: subject 'a.' cannot name a file: it is empty, or begins or ends with a full stop"),
        ("Eye1,a.nii,0,\neye1,b.nii,1,\n", r"subject 'Eye1' \(row 2\) and 'eye1' \(row 3\) differ only"),
        ("P1,a.nii,0,\n\u04201,b.nii,1,\n", r"subject 'P1' \(row 2\) and '\u04201' \(row 3\) differ only"),
        ("a,a.nii,\x1b[31m,\n", "row 2: the label holds a character that cannot be seen"),
        (f"{'é' * 61},a.nii,0,\n", r"row 2: subject 'é+'\.\.\. has 122 bytes, too many for names of files"),
    ],
)
def test_names_that_would_be_confused_are_refused_with_their_rows(tmp_path: Path, rows: str, words: str):
    with pytest.raises(DataError, match=rf"participants\.tsv: {words}"):
        source(tmp_path, "subject,path,label,patient\n" + rows, "participants.tsv").labels()


def test_eyes_without_a_patient_among_others_are_told(tmp_path: Path, caplog):
    source(tmp_path, "subject,path,label,patient\na,a.nii,0,p\nb,b.nii,1,\n").labels()
    assert "1 of 2 eyes have no patient (the first in row 3)" in caplog.text


def test_files_whose_names_differ_in_capitals_are_refused(tmp_path: Path):
    for name in ("P07.nii", "p07.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"the files P07\.nii and p07\.nii\.gz differ only in capitals"):
        NiftiFolder(tmp_path)


def test_the_table_that_lies_there_is_named(tmp_path: Path):
    (tmp_path / "participants.tsv").write_text("subject\tpath\tlabel\n1\ta.nii\tx\n")
    with pytest.raises(DataError, match=r"if participants\.tsv is the table of eyes, give --params source\.path="):
        NiftiFolder(tmp_path)
    (tmp_path / "a.nii").touch()
    with pytest.raises(DataError, match=r"has no table with the column label.*if participants\.tsv is the table"):
        NiftiFolder(tmp_path).labels()
    assert NiftiFolder(tmp_path / "participants.tsv").labels()["disease"].tolist() == ["x"]


def test_two_tables_in_a_folder_are_refused(tmp_path: Path):
    (tmp_path / "subjects.tsv").write_text("path\na.nii\n")
    with pytest.raises(DataError, match=r"holds the tables subjects\.csv and subjects\.tsv; remove all but one"):
        source(tmp_path, "path\na.nii\n").table and NiftiFolder(tmp_path)


def test_an_age_that_is_no_number_is_told(tmp_path: Path, caplog):
    labels = source(tmp_path, 'subject,path,label,age\na,a.nii,0,"63,5"\nb,b.nii,1,old\nc,c.nii,1,\n').labels()
    assert labels["age"].tolist()[0] == 63.5
    assert labels["age"].isna().tolist() == [False, True, True]
    assert "1 ages are no numbers and taken as unknown, such as 'old'" in caplog.text


def test_a_word_for_unknown_is_no_person_of_many_eyes(tmp_path: Path):
    rows = "subject,path,patient\na,a.nii,n/a\nb,b.nii,n/a\n"
    with pytest.raises(
        DataError, match=r"2 rows have the patient 'n/a' \(the first is row 2\), .*; leave the cell empty"
    ):
        source(tmp_path, rows).subjects()
    assert source(tmp_path, rows.replace("b.nii,n/a", "b.nii,NA"), "subjects.csv").subjects() == ["a", "b"]


def test_columns_that_are_not_read_are_told(tmp_path: Path, caplog):
    caplog.set_level("INFO")
    source(tmp_path, "subject,path,set\na,a.nii,train\n").subjects()
    assert "columns that are not read: set" in caplog.text


@pytest.mark.parametrize("column", ["surfaces_path", "lesion_path"])
def test_two_eyes_do_not_share_a_file_that_is_drawn_over_one_scan(tmp_path: Path, column: str):
    with pytest.raises(DataError, match=rf"rows 2 and 4 have the same {column} m\.nii; it is of one eye"):
        source(tmp_path, f"subject,path,{column}\na,a.nii,m.nii\nb,b.nii,\nc,c.nii,./m.nii\n").labels()
    empty = source(tmp_path, f"subject,path,{column}\na,a.nii,\nb,b.nii,\n")
    assert empty.subjects() == ["a", "b"]
