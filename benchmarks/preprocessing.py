"""What processing one real eye costs, beside the steps of the system this project re-implements.

    OMP_NUM_THREADS=1 python benchmarks/preprocessing.py [--eye ../shared/data/octa500_10225.zip] [--repeats 3]

One 400 x 400 x 640 eye, one modality, one core, no registration, all in one run and on one file system: bitmaps to a
NIfTI, the central 3 x 3 mm resized, 256 voxels of depth round the retina, intensities scaled. Three ways: the
original's (our own code after its description: an image series, sums over colours in double precision, two compressed
files a step, loops over columns), ours (as a run does it: sources hashed, results written and hashed), and the bare
minimum (decode, resample, write). Surfaces are found once, beforehand, and given to all, since the original takes them
from another program. Medians of the repeats. Ours once more with each method that removes projection artefacts.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from octa_kedro.io.release import Octa500Release
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing import recipes
from octa_kedro.preprocessing.artefact_config import RESOLVED, SUBTRACTED, ArtefactConfig
from octa_kedro.preprocessing.config import VOLUME, ProcessingConfig
from octa_kedro.preprocessing.eye import place_eye
from octa_kedro.preprocessing.geometry import processing_grid, scan_box
from octa_kedro.preprocessing.placement import Placement, place_surfaces, place_volume
from octa_kedro.preprocessing.retina import estimate_surfaces
from octa_kedro.preprocessing.slabs import slab_mask
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Stored

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("OCTA_SHARED_DATA", ROOT.parent / "shared" / "data"))
MODALITY = "OCTA"
# No en-face maps: the original makes them in a step of its own, which is not counted.
CONFIG = ProcessingConfig(grid=(192, 192, 256), field_mm=(3.0, 3.0), depth_mm=256 * 2 / 640, slabs=())

Seconds = dict[str, float]


@contextmanager
def timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Add the wall time of the block to `seconds`."""
    started = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started


def original(bitmaps: Path, slab: NDArray[np.bool_], work: Path) -> Seconds:
    """The original's steps; `slab` ``[x, z, y]`` is the layer mask on its 192 x 640 x 192 grid."""
    seconds: Seconds = {}
    with timed(seconds, "bitmaps to NIfTI"):
        scan = original_convert(bitmaps, work / "scan.nii.gz")
    with timed(seconds, "crop and resize"):
        resized = original_crop_resize(scan, work / "resized.nii.gz")
    with timed(seconds, "height check"):
        cropped = original_height_crop(resized, slab, work / "cropped.nii.gz")
    with timed(seconds, "normalise"):
        original_normalise(cropped)
    return seconds


def original_convert(bitmaps: Path, target: Path) -> Path:
    """An image series, averaged over colours in double precision, rescaled, compressed, and compressed once more."""
    paths = sorted(bitmaps.glob("*.bmp"), key=lambda path: int(path.stem))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    stack = sitk.GetArrayFromImage(reader.Execute())
    colours = stack if stack.ndim == 4 else np.repeat(stack[..., None], 3, axis=-1)  # the release's bitmaps are RGB
    grey = (np.sum(colours, axis=-1) / 3).transpose(2, 1, 0)
    image = sitk.Cast(sitk.RescaleIntensity(sitk.GetImageFromArray(grey)), sitk.sitkUInt8)
    sitk.WriteImage(image, str(target))
    again = nib.load(target)
    nib.save(nib.Nifti1Image(again.dataobj, np.diag([1, 1, 1, 1.0])), target)
    return target


def original_crop_resize(scan: Path, target: Path) -> Path:
    """The centre of the field slice by slice, then each slice to 192 x 192 by nearest neighbour."""
    array = np.transpose(np.asarray(nib.load(scan).dataobj), (0, 2, 1))
    if array.shape[0] != 400:
        sys.exit(f"the benchmark is for a 400 x 400 x 640 eye, this one has {array.shape}")
    cropped = np.zeros((200, 200, 640))
    for depth in range(640):
        cropped[:, :, depth] = array[100:300, 100:300, depth]
    resized = np.zeros((192, 192, 640))
    for depth in range(640):
        resized[:, :, depth] = Image.fromarray(np.uint8(cropped[:, :, depth])).resize(
            (192, 192), Image.Resampling.NEAREST
        )
    nib.save(nib.Nifti1Image(np.uint8(np.transpose(resized, (0, 2, 1))), np.eye(4)), target)
    return target


def original_height_crop(resized: Path, mask: NDArray[np.bool_], target: Path) -> Path:
    """Median middle of the slab's extent, one column after the other, and 256 voxels round it."""
    array = np.asarray(nib.load(resized).dataobj)
    masked = np.where(mask, np.maximum(array, 1), 0)
    middles = []
    for x in range(masked.shape[0]):
        for y in range(masked.shape[2]):
            column = masked[x, :, y].nonzero()
            if np.sum(column) != 0:
                middles.append(int((np.min(column) + np.max(column)) / 2))
    middle = int(np.median(middles))
    nib.save(nib.Nifti1Image(np.uint8(array[:, middle - 128 : middle + 128, :]), np.eye(4)), target)
    return target


def original_normalise(cropped: Path) -> NDArray[np.float64]:
    """Percentiles of the non-zero voxels, then min-max."""
    array = np.asarray(nib.load(cropped).dataobj).astype(float)
    low, high = np.percentile(array[array != 0], 5), np.percentile(array[array != 0], 99.9)
    array[array < low] = 0
    array[array > high] = high
    return (array - array.min()) / (array.max() - array.min())


def ours(
    source: Octa500Release, subject: str, surfaces: Stored, work: Path, config: ProcessingConfig = CONFIG
) -> Seconds:
    """What a run does for the eye when nothing of it is there: source hashed, processed, written, hashed."""
    seconds: Seconds = {}
    with timed(seconds, "all"):
        cohort = pd.DataFrame({"subject": [subject], "field_of_view_mm": [6.0]})
        processing = recipes.processing(source, cohort, {subject: surfaces}, {}, config)
        Store(work / "files").put_all(Job(processing, VOLUME, ExecutionConfig(workers=1)), "eye")
    return seconds


def without_tails(method: str) -> ProcessingConfig:
    """The processing that removes projection artefacts too."""
    return CONFIG.model_copy(update={"projection_artefacts": ArtefactConfig.model_validate({"method": method})})


def again(source: Octa500Release, subject: str, surfaces: Stored, work: Path) -> Seconds:
    """The same run once more."""
    return {"unchanged": ours(source, subject, surfaces, work)["all"]}


def bare(bitmaps: Path, placement: Placement, affine: NDArray[np.float64], work: Path) -> Seconds:
    """Decode with Pillow, resample with our matrices, write with nibabel: nothing checked, hashed or scaled."""
    seconds: Seconds = {}
    with timed(seconds, "decode"):
        paths = sorted(bitmaps.glob("*.bmp"), key=lambda path: int(path.stem))
        stack = np.stack([np.asarray(Image.open(path)) for path in paths])
        array = (stack if stack.ndim == 3 else stack[..., 0]).transpose(2, 0, 1)
    with timed(seconds, "resample"):
        small = place_volume(array, affine, placement)
    with timed(seconds, "write"):
        nib.save(nib.Nifti1Image(np.rint(small * 257).astype(np.uint16), placement.grid.affine), work / "bare.nii")
    return seconds


def layer_mask(surfaces: PlaneStack, affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The retina ``[x, z, y]`` on the grid that the original checks heights on."""
    box = scan_box((400, 400, 640), affine)
    grid = processing_grid(box, (192, 192, 640), field_mm=(3.0, 3.0), depth_mm=None, centre_depth_mm=None)
    return slab_mask(place_surfaces(surfaces, Placement(grid)), "ILM_BM", grid.shape, grid.affine).transpose(0, 2, 1)


def medians(runs: list[Seconds]) -> Seconds:
    """By step, over the repeats."""
    return {name: float(np.median([run[name] for run in runs])) for name in (runs[0] if runs else ())}


def main() -> None:
    """Run each way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eye", type=Path, default=SHARED / "octa500_10225.zip")
    parser.add_argument("--subject", default="10225")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--original-repeats", type=int, default=1, help="0 leaves the original out")
    arguments = parser.parse_args()
    if not arguments.eye.exists():
        sys.exit(f"{arguments.eye}: not there; give --eye")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        work = Path(folder)
        zipfile.ZipFile(arguments.eye).extractall(work / "release")
        source = Octa500Release(work / "release")
        subject, bitmaps = arguments.subject, source.eyes[arguments.subject][MODALITY].path
        stored = found_surfaces(source, subject, work / "surfaces")
        scan = source.volume(subject, MODALITY)
        placement = place_eye(scan, stored(), CONFIG).placement
        fresh = [work / f"ours-{number}" for number in range(arguments.repeats)]
        our_runs = [ours(source, subject, stored, place) for place in fresh]
        repeated = medians([again(source, subject, stored, place) for place in fresh])
        cleaned = {
            method: medians([ours(source, subject, stored, place, without_tails(method)) for place in fresh])
            for method in (RESOLVED, SUBTRACTED)
        }
        bare_runs = medians([bare(bitmaps, placement, scan.affine, work) for _ in fresh])
        slab = layer_mask(stored(), scan.affine)
        originals = medians([original(bitmaps, slab, work) for _ in range(arguments.original_repeats)])
    report(originals, medians(our_runs)["all"], repeated["unchanged"], bare_runs)
    for method, seconds in cleaned.items():
        print(f"ours with projection artefacts removed by {method}: {seconds['all']:.2f} s")


def found_surfaces(source: Octa500Release, subject: str, folder: Path) -> Stored:
    """The retina found in the OCT scan, as a result on disk."""

    def make(_parts: Sequence[str]) -> dict[str, Result]:
        return {"surfaces": Result(estimate_surfaces(source.volume(subject, "OCT")))}

    store = Store(folder)
    job = Job({subject: Recipe(make, {"surfaces": "benchmark"})}, "surfaces", ExecutionConfig(workers=1))
    return store.open_all(store.put_all(job, "surfaces"))[subject]


def report(originals: Seconds, our_seconds: float, unchanged: float, bare_seconds: Seconds) -> None:
    """The table, and the two ratios that are to be reached."""
    print("| step | seconds |\n|---|---|")
    for name, value in originals.items():
        print(f"| original: {name} | {value:.2f} |")
    for name, value in bare_seconds.items():
        print(f"| bare: {name} | {value:.2f} |")
    whole, least = sum(originals.values()), sum(bare_seconds.values())
    print(
        f"| **original, all** | {whole:.2f} |\n| **bare, all** | {least:.2f} |\n| **ours, all** | {our_seconds:.2f} |"
    )
    print(f"| ours, nothing changed | {unchanged:.2f} |")
    print(f"\noriginal / ours {whole / our_seconds:.1f} (wanted: at least 15)")
    print(f"ours / bare {our_seconds / least:.2f} (wanted: at most 1.5)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of this process, all ways together: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
