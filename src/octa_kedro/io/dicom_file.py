"""Opens DICOM files and answers what they are: kind, modality, side. No value of a patient is read or repeated.

Tables and sections named here are those of DICOM PS3.3 (information objects) and PS3.16 (codes).
"""

import logging
import mmap
import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import kind_of, reading
from octa_kedro.io.dicom_bounds import Mapped, require_modest_deflation, require_possible_frames
from octa_kedro.io.vendor_scan import Modality, vendor_extra
from octa_kedro.io.vendor_scan import side_of as eye_of
from octa_kedro.io.volume import Laterality

TOMOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.5.4"  # Ophthalmic Tomography Image (A.52)
EN_FACE = "1.2.840.10008.5.1.4.1.1.77.1.5.7"  # Ophthalmic OCT En Face Image (A.83)
ANALYSIS = "1.2.840.10008.5.1.4.1.1.77.1.5.8"  # Ophthalmic OCT B-scan Volume Analysis (A.84)
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
# All that is read of a file: names, dates and identifiers of patients are not among it.
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
KIND = ("SOPClassUID", "ImageType", "SeriesDescription", "ProtocolName", "OphthalmicImageTypeCodeSequence",
        "OphthalmicImageTypeDescription", "OCTBscanAnalysisAcquisitionParametersSequence", "AnatomicRegionSequence",
        "ImageLaterality", "Laterality", "MeasurementLaterality", "InConcatenationNumber",
        "InConcatenationTotalNumber")  # fmt: skip
GREY = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
        "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "PresentationLUTShape",
        "PresentationLUTSequence")  # fmt: skip
PLACE = (
    "OphthalmicFrameLocationSequence",
    "OphthalmicVolumetricPropertiesFlag",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "FrameOfReferenceUID",
)
HEADER = (*KIND, *GREY, *PLACE, *GROUPS)
FLOW = re.compile(r"(?<!over)(?<!work)flow|angio|\bocta\b|\boct a\b|\bvascul|decorrelation")
STRUCTURE = re.compile(r"(?<!con)struct|\breflect|\bintensity")
FRONT = re.compile(r"cornea|anterior|iris|lens")
PATTERN = re.compile(r"\b(radial|star\b|circle|circular|cross(?! ?sect)|lines?\b)")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps pydicom's warnings out of the log while a file is read: they repeat values, names of patients too."""
    log = logging.getLogger("pydicom")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def header_errors(path: Path) -> AbstractContextManager[None]:
    """Turns what pydicom raises at a broken value, mostly late, into a DataError that does not repeat the value."""
    return reading(path, "export the eye again", "a value of its header cannot be read", kind_of)


def open_dicom(path: Path, *, pixels: bool) -> Any:
    """The data set of a file of ophthalmic tomography with the elements of `HEADER`, and of `PIXELS` if asked for.

    DataError if it is no DICOM file, or one of another kind: it is named as that.
    """
    with vendor_extra(path):
        import pydicom  # noqa: PLC0415
    tags: list[Any] = [*HEADER, *(PIXELS if pixels else ())]
    # Mapped, since a file that is read takes the memory for every length that an element states.
    with (
        reading(path, "copy it again", "not a readable DICOM file", kind_of),
        path.open("rb") as file,
        Mapped(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        start = mapped[:132]
        bare = start[128:] != b"DICM" and start[:2] in (b"\x02\x00", b"\x08\x00")  # without preamble
        if not bare:
            require_modest_deflation(path, mapped)
        data = pydicom.dcmread(mapped, stop_before_pixels=not pixels, specific_tags=tags, force=bare)
    with header_errors(path):
        _require_tomography(path, data)
        if "TransferSyntaxUID" not in data.file_meta:
            data.file_meta.TransferSyntaxUID = _native_syntax(path, data)
    return data


def _native_syntax(path: Path, data: Any) -> Any:
    from pydicom import uid  # noqa: PLC0415

    implicit, little = data.original_encoding
    if not little:
        raise DataError(f"{path}: does not say how its pixels are stored (no transfer syntax); export the eye again")
    return uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian


def _require_tomography(path: Path, data: Any) -> None:
    """DataError if a data set is not a volume of ophthalmic tomography that lies in this file completely."""
    from pydicom.uid import UID  # noqa: PLC0415

    kind = str(data.get("SOPClassUID") or data.file_meta.get("MediaStorageSOPClassUID") or "")
    data.SOPClassUID = kind
    if not kind:
        raise DataError(f"{path}: does not say what it is (no SOP Class UID); export the eye again")
    if kind == EN_FACE:
        raise DataError(
            f"{path}: an en-face map (Ophthalmic OCT En Face Image), not a volume; give the file of the volume"
        )
    if kind not in (TOMOGRAPHY, ANALYSIS):
        raise DataError(f"{path}: {UID(kind).name}, not a volume of ophthalmic tomography; leave it out")
    if not data.get("Rows") or not data.get("Columns"):
        raise DataError(f"{path}: holds no image; leave it out")
    if int(data.get("InConcatenationTotalNumber") or 1) > 1 or int(data.get("InConcatenationNumber") or 1) > 1:
        raise DataError(
            f"{path}: part {data.get('InConcatenationNumber')} of {data.get('InConcatenationTotalNumber')} of one scan "
            "(a concatenation); export the eye as one file"
        )
    n = int(data.get("NumberOfFrames") or 1)
    require_possible_frames(path, data, n)
    if (described := len(data.get("PerFrameFunctionalGroupsSequence") or [])) not in (0, n):
        raise DataError(f"{path}: states {n} frames but describes {described}; export the eye again")
    if n == 1:
        raise DataError(
            f"{path}: holds one frame, not a volume; an eye with one file per B-scan is not read, export it as one "
            "multi-frame file"
        )
    if region := FRONT.search(_meanings(data.get("AnatomicRegionSequence"))):
        raise DataError(f"{path}: a scan of the front of the eye ({region.group()}), not of the retina; leave it out")


def first(sequence: Any) -> Any | None:
    """The first item of a sequence, None if it has none."""
    return sequence[0] if sequence else None


def groups(data: Any, sequence: str) -> list[Any]:
    """Item of a functional group for each frame (C.7.6.16): its own, else the shared one, else None."""
    shared = first(data.get("SharedFunctionalGroupsSequence"))
    common = first(shared.get(sequence)) if shared is not None else None
    own = [first(frame.get(sequence)) for frame in data.get("PerFrameFunctionalGroupsSequence") or []]
    own = own or [None] * int(data.NumberOfFrames)
    return [common if item is None else item for item in own]


def modality_of(path: Path, data: Any) -> Modality:
    """Flow or structure, by the kind of the file and by what its image types and descriptions say of its voxels.

    Ophthalmic Tomography is structure unless its image type or its series says flow; a B-scan Volume Analysis is flow.
    DataError where statements contradict each other, and where a series or protocol is only called angiography:
    devices store a structural and a flow volume under that name (Zeiss: "Angiography 3x3 mm").
    """
    types = data.get("ImageType") or ""
    types = types if isinstance(types, str) else " ".join(types)
    coded = _meanings(data.get("OphthalmicImageTypeCodeSequence"))
    image = _words(types, data.get("OphthalmicImageTypeDescription"), coded)
    series = _words(data.get("SeriesDescription"), data.get("ProtocolName"))
    named = FLOW.search(series)
    flow = data.SOPClassUID == ANALYSIS or FLOW.search(image) or re.search(r"(?<!over)(?<!work)flow", series)
    structure = STRUCTURE.search(image) or STRUCTURE.search(series)
    if flow and structure:
        raise DataError(
            f"{path}: says that it is flow and that it is structure ({structure.group()}); export the eye again"
        )
    if named and not flow and not structure:
        raise DataError(
            f"{path}: its series is called {named.group()}, and nothing says whether these voxels are its flow or "
            "its structure; export flow as a B-scan Volume Analysis, or convert it to NIfTI (nifti_folder)"
        )
    return "OCTA" if flow else "OCT"


def pattern_of(data: Any) -> str:
    """The word for a scan pattern other than a raster that the file uses in its codes or descriptions; else empty."""
    parameters = data.get("OCTBscanAnalysisAcquisitionParametersSequence") or []
    coded = (_meanings(item.get("ScanPatternTypeCodeSequence")) for item in parameters)
    found = PATTERN.search(_words(*coded, data.get("SeriesDescription"), data.get("ProtocolName")))
    return found.group() if found else ""


def side_of(path: Path, data: Any) -> Laterality | None:
    """The eye, None if the file does not say it; DataError if it says both, or several statements disagree."""
    holders = [(data, name) for name in ("ImageLaterality", "Laterality", "MeasurementLaterality")]
    holders += [(item, "FrameLaterality") for item in groups(data, "FrameAnatomySequence") if item]
    values = [holder.get(name) or "" for holder, name in holders]
    stated = {value if isinstance(value, str) else " and ".join(value) for value in values}
    sides = {eye_of(word) for word in stated - {""}}
    if len(sides) > 1 or None in sides:
        raise DataError(
            f"{path}: its laterality is not one eye but {', '.join(sorted(map(_side_word, stated - {''})))}; "
            "export one eye per file"
        )
    return next(iter(sides), None)


def _side_word(word: str) -> str:
    """A word for a side as it is; anything longer may be text of another field, which is not repeated."""
    return word if re.fullmatch(r"\w{1,2}( and \w{1,2})*", word) else "another word"


def _meanings(sequence: Any) -> str:
    return _words(*(item.get("CodeMeaning") for item in sequence or []))


def _words(*texts: Any) -> str:
    """Texts in small letters, everything else between their words one blank."""
    return re.sub(r"[^a-z0-9]+", " ", " ".join(str(text) for text in texts if text).lower())
