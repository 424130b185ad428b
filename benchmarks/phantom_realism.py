"""How far the phantom looks like OCTA-500: the same statistics of real and of synthetic eyes, and pictures of both.

    python benchmarks/phantom_realism.py --out /tmp/realism [--shared ../shared/data] [--eyes 24] [--workers 2]

The phantom's eyes have diseases in the shares in which OCTA-500 has them, field of view by field of view, since
nothing is known of single eyes of the sample. Target: the phantom's median inside the real 5-95 % range, depth
profiles correlated above .9. Real images must not be passed on, nor pictures made of them, so a folder inside the
repository is refused.
"""

import argparse
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from enface_statistics import compare, draw_outlines, find_faz, statistics_of
from octa_kedro.io.release import Octa500Release, plane_to_picture
from octa_kedro.io.release_format import enface_picture
from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.phantom.config import OCTA500, Disease, PhantomConfig
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.retina import estimate_surfaces

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("OCTA_SHARED_DATA", ROOT.parent / "shared" / "data"))
MAP, SUBJECT = "OCTA(ILM_OPL)", "10225"
FIELDS = (3.0, 6.0)
NATIVE = {"3mm": (304, 304, 640), "6mm": (400, 400, 640)}
DEPTH_UM = np.arange(-50.0, 500.0, 3.125)
MODALITIES = ("OCT", "OCTA")
BRIGHTEST = {"OCT": 255, "OCTA": 60}  # as shown
ABOVE_MM, SHOWN_MM = 0.2, 0.9  # of a B-scan, round its ILM
CHOROID_MM, LAG_MM = (0.03, 0.12), 0.01875  # below BM, where speckle is judged; distance over which it is compared


@dataclass(frozen=True)
class Seen:
    """What is kept of one eye: its map and, if the volume was looked at, profiles, foveal B-scans and speckle."""

    name: str
    field_mm: float
    picture: NDArray[np.uint8]
    profiles: Mapping[str, NDArray[np.float64]] | None = None
    bscans: Mapping[str, NDArray[np.uint8]] | None = None
    speckle: tuple[float, float] | None = None


def look_at(name: str, volumes: Mapping[str, Volume], picture: NDArray[np.uint8]) -> Seen:
    """Profiles relative to the estimated ILM, the B-scans through the fovea, and OCTA speckle below the BM."""
    surfaces = estimate_surfaces(volumes["OCT"])
    ilm = surfaces.plane("ILM")
    field_mm = round(volumes["OCT"].extent_mm[0], 3)
    faz = find_faz(picture, field_mm)
    row = int(np.nonzero(faz)[0].mean()) if faz.any() else len(faz) // 2
    number, step = len(faz) - 1 - row, volumes["OCT"].spacing[2]
    top = max(0, int((np.median(ilm) - ABOVE_MM) / step))
    shown = slice(top, top + int(SHOWN_MM / step))
    bscans = {m: v.array[:, number, shown].T.copy() for m, v in volumes.items()}
    profiles = {m: depth_profile(v, ilm) for m, v in volumes.items()}
    return Seen(name, field_mm, picture, profiles, bscans, speckle_of(volumes["OCTA"], surfaces.plane("BM")))


def depth_profile(volume: Volume, ilm_mm: NDArray) -> NDArray[np.float64]:
    """Mean grey at each of `DEPTH_UM` below the ILM, over every other A-scan each way."""
    spacing, origin = volume.spacing[2], volume.affine[2, 3]
    index = np.rint((ilm_mm[::2, ::2, None] + DEPTH_UM / 1000 - origin) / spacing).astype(np.intp)
    inside = (index >= 0) & (index < volume.array.shape[2])
    grey = np.take_along_axis(volume.array[::2, ::2], np.clip(index, 0, volume.array.shape[2] - 1), 2)
    return np.sum(grey, axis=(0, 1), where=inside, dtype=float) / np.maximum(inside.sum(axis=(0, 1)), 1)


def speckle_of(octa: Volume, bm_mm: NDArray) -> tuple[float, float]:
    """Deviation of the log of OCTA speckle in the choroid, and its correlation over `LAG_MM` in depth.

    What varies over more than some A-scans at one depth is not speckle and is taken away first.
    """
    spacing, origin = octa.spacing[2], octa.affine[2, 3]
    index = np.rint((bm_mm[..., None] + np.arange(*CHOROID_MM, spacing) - origin) / spacing).astype(np.intp)
    grey = np.take_along_axis(octa.array, np.clip(index, 0, octa.array.shape[2] - 1), 2)
    log = np.log(grey.astype(np.float32) + 2)
    log -= ndimage.gaussian_filter(log, (6, 6, 0))
    lag = round(LAG_MM / spacing)
    return float(log.std()), float((log[..., lag:] * log[..., :-lag]).mean() / np.square(log).mean())


def real_maps(shared: Path) -> list[Seen]:
    """The sample of released maps."""
    found = []
    for field_mm in FIELDS:
        paths = sorted((shared / "octa500_enface_sample" / f"OCTA_{field_mm:g}mm").glob("*.png"))
        found += [Seen(path.stem, field_mm, np.asarray(Image.open(path).convert("L"))) for path in paths]
    if not found:
        sys.exit(f"{shared}: no octa500_enface_sample there; give --shared or set OCTA_SHARED_DATA")
    return found


def real_eye(path: Path) -> Seen:
    """The one real volume, from the zip or from a folder it was unpacked to."""
    if not path.exists():
        sys.exit(f"{path}: not there; give --real-eye, the zip or the folder that it was unpacked to")
    with tempfile.TemporaryDirectory() if path.suffix == ".zip" else nullcontext(str(path)) as folder:
        if path.suffix == ".zip":
            zipfile.ZipFile(path).extractall(folder)
        release = Octa500Release(Path(folder))
        volumes = {m: release.volume(SUBJECT, m) for m in MODALITIES}
        return look_at(SUBJECT, volumes, plane_to_picture(release.projection(SUBJECT, MAP)))


def phantom_eye(config: PhantomConfig, row: Mapping[Hashable, Any]) -> Seen:
    """One synthetic eye at full size; its volume is looked at if it is 6 mm wide, as the real one is."""
    eye = make_eye(config, row)
    name, picture = f"{row['ID']} {row['Disease']}", enface_picture(eye.projections[MAP])
    if eye.extent_mm[0] != FIELDS[-1]:
        return Seen(name, eye.extent_mm[0], picture)
    affine = scan_affine(eye.oct.shape, eye.extent_mm)
    arrays = {"OCT": eye.oct, "OCTA": eye.octa}
    return look_at(name, {m: Volume(a, affine, m, eye.laterality, name) for m, a in arrays.items()}, picture)


def composition(field: int, eyes: int) -> dict[Disease, int]:
    """So many eyes of each disease as OCTA-500 has in a field of view (0: 3 mm, 1: 6 mm), by largest remainders."""
    counts = {word: both[field] for word, both in OCTA500.items()}
    exact = {word: eyes * count / sum(counts.values()) for word, count in counts.items()}
    found = {word: int(share) for word, share in exact.items()}
    left = sorted(exact, key=lambda word: found[word] - exact[word])[: eyes - sum(found.values())]
    return {word: number + (word in left) for word, number in found.items()}


def phantom_rows(config: PhantomConfig, eyes: int) -> list[dict[Hashable, Any]]:
    """Half the eyes in each field of view, of diseases in the shares in which the release has them there."""
    table = plan_cohort(config)
    chosen = []
    for number, field_mm in enumerate(FIELDS):
        rows = table[table["fov_mm"] == field_mm]
        for word, count in composition(number, eyes // len(FIELDS)).items():
            chosen += rows[rows["Disease"] == word].head(count).to_dict("records")
    return chosen


def phantom_eyes(eyes: int, settings: Mapping[str, Any], workers: int) -> list[Seen]:
    """Made in as many processes as `workers` says."""
    subjects = dict.fromkeys(get_args(Disease), 2 * eyes)
    config = PhantomConfig.model_validate({"subjects": subjects, "share_6mm": 0.5, "shapes": NATIVE} | settings)
    rows = phantom_rows(config, eyes)
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(phantom_eye, config), rows))


def profiles_of(eyes: Sequence[Seen]) -> dict[str, NDArray[np.float64]]:
    """Per modality, one profile per eye whose volume was looked at."""
    return {m: np.array([eye.profiles[m] for eye in eyes if eye.profiles is not None]) for m in MODALITIES}


def draw_profiles(
    real: Mapping[str, NDArray], phantom: Mapping[str, NDArray], correlation: Mapping[str, float]
) -> Figure:
    """Mean grey against depth, the real eye over the phantom's eyes."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for axis, modality in zip(axes, MODALITIES, strict=True):
        axis.plot(DEPTH_UM, phantom[modality].T, color="tab:orange", alpha=0.3, linewidth=0.8)
        axis.plot(
            DEPTH_UM, np.median(phantom[modality], axis=0), color="tab:orange", linewidth=2, label="phantom, median"
        )
        axis.plot(DEPTH_UM, real[modality][0], color="black", linewidth=2, label=f"real eye {SUBJECT}")
        axis.set(
            title=f"{modality}, correlation {correlation[modality]:.3f}",
            xlabel="depth below the ILM, um",
            ylabel="mean grey",
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    return figure


def draw_side_by_side(real: Sequence[Seen], phantom: Sequence[Seen], each: int = 3) -> Figure:
    """Two rows of maps per field of view, then B-scans through the fovea; real left, phantom right."""
    figure = plt.figure(figsize=(16, 17.5), layout="constrained")
    halves = figure.subfigures(1, 2, wspace=0.02)
    for half, title, eyes in zip(halves, ("real (OCTA-500)", "phantom"), (real, phantom), strict=True):
        half.suptitle(title, fontweight="bold")
        blocks = half.subfigures(len(FIELDS) + 1, 1, height_ratios=[2, 2, 1.5])
        for block, field_mm in zip(blocks, FIELDS, strict=False):
            maps = [eye for eye in eyes if eye.field_mm == field_mm]
            picked = [maps[i] for i in np.unique(np.linspace(0, len(maps) - 1, 2 * each).astype(int))]
            for axis, eye in zip(block.subplots(2, each).flat, picked, strict=False):
                show(axis, eye.picture, f"{eye.name}, {field_mm:g} mm", cmap="gray", vmin=0, vmax=255)
        eye = next(eye for eye in eyes if eye.bscans is not None)
        for axis, modality in zip(blocks[-1].subplots(2, 1), MODALITIES, strict=True):
            limits = {"vmin": 0, "vmax": BRIGHTEST[modality]}
            show(
                axis,
                eye.bscans[modality],
                f"{eye.name}, {modality} through the fovea",
                cmap="gray",
                aspect="auto",
                **limits,
            )
    for axis in chain.from_iterable(block.axes for half in halves for block in half.subfigs):
        axis.axis("off")
    return figure


def show(axis: Axes, picture: NDArray, title: str, **settings: Any) -> None:
    """A picture under a small title."""
    axis.imshow(picture, **settings)
    axis.set_title(title, fontsize=8, pad=2)


def draw_segmentation(real: Sequence[Seen], phantom: Sequence[Seen], each: int = 4) -> Figure:
    """What was counted as large vessel (red), capillary (green) and FAZ (yellow)."""
    figure, axes = plt.subplots(2 * len(FIELDS), each, figsize=(4 * each, 8.3 * len(FIELDS)), layout="constrained")
    pairs = [(field_mm, side, eyes) for field_mm in FIELDS for side, eyes in (("real", real), ("phantom", phantom))]
    for row, (field_mm, side, eyes) in zip(axes, pairs, strict=True):
        for axis, eye in zip(row, [eye for eye in eyes if eye.field_mm == field_mm], strict=False):
            show(axis, draw_outlines(eye.picture, field_mm), f"{side} {eye.name}, {field_mm:g} mm")
        for axis in row:
            axis.axis("off")
    return figure


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--real-eye", type=Path, help="zip or folder; default: octa500_10225.zip in --shared")
    parser.add_argument("--eyes", type=int, default=24, help="phantom eyes, half of them 3 mm")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--settings", type=json.loads, default={}, help='of the phantom, as JSON: {"seed": 2}')
    parser.add_argument("--save-stats", type=Path, help="every value of every eye, as JSON")
    arguments = parser.parse_args()
    for path in (arguments.out, arguments.save_stats or arguments.out):
        if path.resolve().is_relative_to(ROOT):
            sys.exit(f"{path}: inside the repository; figures of real images must stay outside of it")
    maps, volume = (
        real_maps(arguments.shared),
        real_eye(arguments.real_eye or arguments.shared / f"octa500_{SUBJECT}.zip"),
    )
    eyes = phantom_eyes(arguments.eyes, arguments.settings, arguments.workers)
    real, phantom = (statistics_of((eye.picture, eye.field_mm) for eye in group) for group in (maps, eyes))
    real_depth, depth = profiles_of([volume]), profiles_of(eyes)
    correlation = {m: float(np.corrcoef(real_depth[m][0], np.median(depth[m], axis=0))[0, 1]) for m in MODALITIES}
    table = compare(real, phantom, correlation)
    table += "\n\nOCTA speckle below BM, deviation of its log and correlation over 19 um in depth:"
    for name, seen in (("real eye", [volume]), ("phantom, median", eyes)):
        deviation, correlated = np.median([eye.speckle for eye in seen if eye.speckle is not None], axis=0)
        table += f" {name} {deviation:.2f}, {correlated:.2f};"
    print(table)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "realism.md").write_text(table + "\n")
    draw_profiles(real_depth, depth, correlation).savefig(arguments.out / "profiles.png", dpi=130)
    draw_side_by_side([*maps, volume], eyes).savefig(arguments.out / "side_by_side.png", dpi=130)
    draw_segmentation(maps, eyes).savefig(arguments.out / "segmentation.png", dpi=150)
    if arguments.save_stats:
        everything = {"real": real, "phantom": phantom, "depth_um": DEPTH_UM}
        everything |= {"real_depth": real_depth, "phantom_depth": depth}
        arguments.save_stats.write_text(json.dumps(everything, default=np.ndarray.tolist))


if __name__ == "__main__":
    main()
