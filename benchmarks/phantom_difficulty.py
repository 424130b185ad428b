"""Is the phantom too easy? What a linear model scores on features that hold nothing of a lesion's shape.

    python benchmarks/phantom_difficulty.py --seeds 1 2 3 [--eyes 480] [--by-severity] [--by-disease]

Makes the default cohort of each seed (`--eyes`: one of about as many eyes, in the same proportions) and prints the
AUROC of NORMAL against the rest with its 95 % bootstrap interval: 5-fold cross-validation by subject, stratified by
disease, repeated with other folds; each eye's out-of-fold probabilities are averaged. A depth profile or an en-face
histogram that scores above LIMIT makes the phantom too easy. Surfaces are the true ones, which favours the features.
Only the central 3 x 3 mm count, as in data processing, and once more all of the field.
"""

import argparse
import sys
from collections.abc import Mapping

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.stats import skew
from sklearn.model_selection import StratifiedKFold

from octa_kedro.evaluation.floor import linear_floor
from octa_kedro.evaluation.intervals import bootstrap_intervals
from octa_kedro.evaluation.scores import binary_metrics
from octa_kedro.io.release import SURFACES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.eye import place_eye, process_volume
from octa_kedro.preprocessing.projection import project_mean

LIMIT = 0.75
FOLDS, REPEATS, RESAMPLES = 5, 5, 2000
FIELDS: dict[str, float | None] = {"central 3 x 3 mm": 3.0, "whole field": None}
SLABS = {"ILM_OPL": ("ILM", "OPL_ONL"), "OPL_BM": ("OPL_ONL", "BM")}
BINS = 32
# Highest grey level of a raw histogram; a mean over a slab's depth stays well below the brightest voxel.
TOP = {"OCT": 255.0, "OCTA": 64.0}
# From ILM, in micrometres; wider than a voxel of the demo grid is deep.
DEPTHS_UM = np.arange(-50.0, 501.0, 10.0)
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
Features = dict[str, NDArray[np.float64]]
Scores = dict[str, list[tuple[float, float, float]]]
THIRDS = ("mildest third", "middle third", "severest third")


def cut_field(eye: PhantomEye, field_mm: float | None) -> tuple[slice, slice]:
    """The A-scans of the central `field_mm`; None takes all."""
    slices = []
    for n, extent in zip(eye.oct.shape[:2], eye.extent_mm[:2], strict=True):
        kept = n if field_mm is None else min(n, round(n * field_mm / extent))
        slices.append(slice((n - kept) // 2, (n - kept) // 2 + kept))
    return slices[0], slices[1]


def flat_profile(array: NDArray, ilm: NDArray, step_um: float) -> NDArray[np.float64]:
    """Mean grey level at each of DEPTHS_UM below the ILM; array ``[x, y, z]``, ilm ``[x, y]`` in voxels."""
    depth_um = (np.arange(array.shape[2]) - ilm[..., None]) * step_um
    chosen = (depth_um >= DEPTHS_UM[0]) & (depth_um < DEPTHS_UM[-1])
    place = np.digitize(depth_um[chosen], DEPTHS_UM) - 1
    total = np.bincount(place, array[chosen].astype(float), minlength=len(DEPTHS_UM) - 1)
    return total / np.maximum(np.bincount(place, minlength=len(DEPTHS_UM) - 1), 1)


def processed_profile(eye: PhantomEye, field_mm: float | None) -> NDArray[np.float64]:
    """Mean over x and y of what a 3D network is given: the mission's floor."""
    affine = scan_affine(eye.octa.shape, eye.extent_mm)
    depth_mm = (eye.surfaces.transpose(1, 2, 0) + 0.5) * affine[2, 2]
    surfaces = PlaneStack(depth_mm, affine, SURFACES, eye.laterality)
    config = ProcessingConfig(field_mm=None if field_mm is None else (field_mm, field_mm))
    scan = Volume(eye.octa, affine, "OCTA", eye.laterality, "phantom")
    return process_volume(scan, place_eye(scan, surfaces, config), config).array.mean(axis=(0, 1))


def histogram(plane: NDArray, top: float | None) -> NDArray[np.float64]:
    """Share of pixels in each of BINS up to `top`, the last with all above; None goes to the 99.9th percentile."""
    high = max(float(np.percentile(plane, 99.9)), 1e-6) if top is None else top
    return np.histogram(np.clip(plane / high, 0, 1), BINS, (0, 1))[0] / plane.size


def moments(plane: NDArray) -> list[float]:
    """Mean, deviation, skewness and percentiles."""
    values = plane.ravel().astype(float)
    return [values.mean(), values.std(), float(skew(values)), *np.percentile(values, PERCENTILES)]


def features_of(eye: PhantomEye, field_mm: float | None) -> Features:
    """Every feature vector of one eye, by name."""
    at = cut_field(eye, field_mm)
    arrays = {"OCT": eye.oct[at], "OCTA": eye.octa[at]}
    surfaces = dict(zip(SURFACES, eye.surfaces[(slice(None), *at)], strict=True))
    step_um = 1000 * eye.extent_mm[2] / eye.oct.shape[2]
    profiles = {name: flat_profile(array, surfaces["ILM"], step_um) for name, array in arrays.items()}
    found = {f"depth profile from ILM, {name}": profile for name, profile in profiles.items()}
    found["depth profile from ILM, OCT and OCTA"] = np.concatenate(list(profiles.values()))
    found["depth profile of the processed volume"] = processed_profile(eye, field_mm)
    planes = {
        (modality, slab): project_mean(array, surfaces[upper], surfaces[lower])
        for modality, array in arrays.items()
        for slab, (upper, lower) in SLABS.items()
    }
    for scale in ("raw", "scaled"):
        bars = {key: histogram(plane, TOP[key[0]] if scale == "raw" else None) for key, plane in planes.items()}
        found |= {f"histogram {scale}, OCTA({slab})": bars["OCTA", slab] for slab in SLABS}
        for modality in ("OCTA", "OCT"):
            found[f"histogram {scale}, {modality} both slabs"] = np.concatenate([bars[modality, s] for s in SLABS])
    for modality in ("OCTA", "OCT"):
        found[f"statistics, {modality} both slabs"] = np.concatenate([moments(planes[modality, s]) for s in SLABS])
    return found


def make_features(config: PhantomConfig, row: Mapping[str, object]) -> dict[str, Features]:
    """One eye's features of each of FIELDS."""
    eye = make_eye(config, row)
    return {name: features_of(eye, field_mm) for name, field_mm in FIELDS.items()}


def plan(seed: int, eyes: int | None) -> tuple[PhantomConfig, pd.DataFrame]:
    """The default cohort of a seed, or one of about `eyes` eyes with the same share of each disease."""
    config = PhantomConfig(seed=seed)
    table = plan_cohort(config)
    if eyes is not None:
        counts = table["Disease"].value_counts()
        subjects = {str(word): max(FOLDS, round(count * eyes / len(table))) for word, count in counts.items()}
        config = PhantomConfig(seed=seed, subjects=subjects)
        table = plan_cohort(config)
    return config, table


def cross_validate(features: Mapping[str, NDArray], table: pd.DataFrame) -> pd.DataFrame:
    """`table` with the columns subject, target and probability, the mean over REPEATS of out-of-fold ones."""
    subjects, words = table["ID"].astype(str).to_numpy(), table["Disease"].to_numpy()
    rows = pd.DataFrame({"subject": subjects, "target": (words != "NORMAL").astype(int), "held_out": False})
    total = np.zeros(len(rows))
    for repeat in range(REPEATS):
        folds = np.zeros(len(rows), int)
        parts = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat).split(words, words)
        for number, (_, members) in enumerate(parts, start=1):
            folds[members] = number
        predicted = linear_floor(features, rows.assign(fold=folds), "linear").set_index("subject")["probability"]
        total += predicted.loc[subjects].to_numpy()
    return table.assign(subject=subjects, target=rows["target"], probability=total / REPEATS)


def auroc(rows: pd.DataFrame) -> tuple[float, float, float]:
    """AUROC, and its interval."""
    value = binary_metrics(rows["target"], rows["probability"], 0.5)["auroc"].value
    intervals = bootstrap_intervals(rows, 0.5, resamples=RESAMPLES, seed=0).set_index("metric")
    return value, float(intervals.loc["auroc", "low"]), float(intervals.loc["auroc", "high"])


def parts_of(predictions: pd.DataFrame, column: str | None) -> dict[str, pd.DataFrame]:
    """All NORMAL eyes with the others of each disease or third of severity; undivided without a column."""
    if column is None:
        return {"": predictions}
    if column not in predictions:
        sys.exit(f"the cohort's table has no column {column}")
    normal, ill = predictions[predictions["target"] == 0], predictions[predictions["target"] == 1]
    groups = pd.qcut(ill["severity"], 3, labels=THIRDS) if column == "severity" else ill[column]
    return {f", {name}": pd.concat([normal, rows]) for name, rows in ill.groupby(groups, observed=True)}


def score_cohort(seed: int, eyes: int | None, jobs: int) -> dict[str, dict[str, pd.DataFrame]]:
    """Predictions on one cohort, by field and by name of the features."""
    config, table = plan(seed, eyes)
    print(f"seed {seed}: {table['Disease'].value_counts().to_dict()}", file=sys.stderr)
    made = Parallel(jobs)(delayed(make_features)(config, row) for row in table.to_dict("records"))
    subjects = table["ID"].astype(str)
    return {
        field: {
            name: cross_validate({i: eye[field][name] for i, eye in zip(subjects, made, strict=True)}, table)
            for name in made[0][field]
        }
        for field in FIELDS
    }


def print_table(results: Scores, seeds: list[int]) -> None:
    """Markdown: a row per name, a column per seed."""
    print(f"| features | {' | '.join(f'seed {seed}' for seed in seeds)} | mean | at most {LIMIT:g} |")
    print("|---" * (len(seeds) + 3) + "|")
    for name, scores in results.items():
        cells = " | ".join(f"{value:.2f} [{low:.2f}, {high:.2f}]" for value, low, high in scores)
        values = [value for value, _, _ in scores]
        print(f"| {name} | {cells} | {np.mean(values):.2f} | {'yes' if max(values) <= LIMIT else '**no**'} |")
    print()


def main() -> None:
    """Make, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--eyes", type=int)
    parser.add_argument("--by-severity", action="store_true")
    parser.add_argument("--by-disease", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    columns = [None, *["severity"][: arguments.by_severity], *["Disease"][: arguments.by_disease]]
    cohorts = [score_cohort(seed, arguments.eyes, arguments.jobs) for seed in arguments.seeds]
    for column in columns:
        for field in FIELDS:
            results: Scores = {}
            for cohort in cohorts:
                for name, predictions in cohort[field].items():
                    for part, rows in parts_of(predictions, column).items():
                        results.setdefault(name + part, []).append(auroc(rows))
            print(f"### {field}{f', NORMAL against the rest by {column.lower()}' if column else ''}\n")
            print_table(results, arguments.seeds)


if __name__ == "__main__":
    main()
