"""What makes each kind of result, as the project's own recipes and trainings name it."""

from functools import partial
from pathlib import Path

from octa_kedro.biomarkers.making import biomarker_parts
from octa_kedro.explain.making import map_parts, slab_parts
from octa_kedro.explain.predicted import predicted_map_parts, predicted_slab_parts
from octa_kedro.inference.making import reading_parts
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.release_writer import write_release
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.conversion import convert_scan
from octa_kedro.preprocessing.inspection import inspect_eye
from octa_kedro.preprocessing.making import processed_parts, reference_parts
from octa_kedro.results.code import Code, code_of
from octa_kedro.results.modules import ROOT
from octa_kedro.results.stored import write_result
from octa_kedro.training.autoencoder import fit_autoencoder
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.tuning.search import run_trial

SOURCE = Octa500Release(Path(__file__).parent)
KINDS: dict[str, tuple[object, ...]] = {
    "conversion": (partial(convert_scan, SOURCE, "10001", "OCT"), write_result),
    "inspection": (partial(inspect_eye, SOURCE, "10001", ("OCT",)), write_result),
    "reference": (partial(reference_parts, SOURCE, "10001"), write_result),
    "processed": (partial(processed_parts, SOURCE, "10001"), write_result),
    "biomarkers": (partial(biomarker_parts, SOURCE, "10001"), write_result),
    "phantom": (make_eye, write_release),
    "classifier": (fit_classifier,),
    "autoencoder": (fit_autoencoder,),
    "map": (map_parts, write_result),
    "predicted map": (predicted_map_parts, write_result),
    "slab values": (slab_parts, write_result),
    "predicted slab values": (predicted_slab_parts, write_result),
    "reading": (reading_parts, write_result),
    "study": (run_trial, fit_classifier),
}
OTHER_SOURCE = (partial(convert_scan, NiftiFolder.__new__(NiftiFolder), "1", "OCT"), write_result)


def kind_code(kind: str, root: Path = ROOT) -> Code:
    return code_of(*KINDS[kind], root=root)
