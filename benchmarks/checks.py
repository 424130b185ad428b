"""What it costs that nothing wrong is accepted and nothing right is lost.

    OMP_NUM_THREADS=1 python benchmarks/checks.py eye [--repeats 7] [--eye ../shared/data/octa500_10225.zip]
    OMP_NUM_THREADS=1 python benchmarks/checks.py mission --project DIR [--env test] [--pipelines data_processing]

`eye`: one real eye of 400 x 400 x 640 voxels, OCT and angiography, from B-scans and from ``.nii.gz`` files: hashed,
inspected, processed, written and recorded, with all checks and with those of `unchecked` switched off and without
`DiscreetSource`, in turn. The ratio is the median of the ratios of neighbours. CPU seconds stand beside, since fsync
waits without computing.

`mission`: a run of `env` in the project `DIR` (a copy: it is written to) in this process; the seconds spent in each of
`CHECKS`, and their share. What one calls in another counts for the outer one. Hashes of results count too, though they
were there before.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from threadpoolctl import threadpool_limits

from octa_kedro import hooks
from octa_kedro.io import boundary, files, hashing, hiding, nifti, notes, seals, workbook_bounds, yaml_text
from octa_kedro.io.discreet import DiscreetSource
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.source import Source
from octa_kedro.preprocessing import recipes, sketch
from octa_kedro.preprocessing.config import PARTS, ProcessingConfig
from octa_kedro.preprocessing.inspection import INSPECTED
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import jobs
from octa_kedro.results.store import Store
from octa_kedro.running import living_runs, made_before, run_versions
from octa_kedro.running.evidence import EvidenceHooks
from octa_kedro.training.state import state_file

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("OCTA_SHARED_DATA", ROOT.parent / "shared" / "data"))
MODALITIES = ("OCTA", "OCT")
EXECUTION = ExecutionConfig(workers=1)
CHECKS = (
    *((files, "flush"), (notes, "read_note"), (notes, "_seal"), (nifti, "_decompressed")),
    *((hashing, "sha256_of"), (hashing, "_hash_bytes"), (state_file, "_checksum")),
    *((seals, "read_seal"), (seals, "write_seal"), (seals, "digest"), (EvidenceHooks, "before_node_run")),
    *((hooks, "look_after"), (run_versions, "settle_versions"), (run_versions, "reads_of")),
    *((living_runs, "begin"), (living_runs, "end"), (made_before, "require_made")),
    *((workbook_bounds, "require_modest_workbook"), (yaml_text, "require_modest_yaml"), (boundary, "require_regular")),
    *((hiding, "hide_names"), (hiding, "hide_folder"), (hiding, "names_in"), (sketch, "likeness")),
)
"""Where what is checked is checked: waiting for the disk, reading and sealing small files, reading to a checksum,
hashes of files, the checksum of a training's state; seals of results and what they were made from; leftovers of killed
processes, versions, runs at once, inputs that are there; bounds of files that are read; names; images known again."""

Times = tuple[float, float]


def now() -> Times:
    """Wall seconds, and CPU seconds of this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def unchecked() -> Iterator[None]:
    """Nothing is waited for on the disk, small files carry no hash of their content, and compressed files are read to
    their last voxel only."""
    with ExitStack() as stack:
        for module in (files, state_file):
            stack.enter_context(patch.object(module, "flush", lambda _path: None))
        stack.enter_context(patch.object(notes, "_seal", lambda _content, **_named: ""))
        plain: Callable[..., Any] = lambda _path, proxy: np.asanyarray(proxy.get_unscaled())  # noqa: E731
        stack.enter_context(patch.object(nifti, "_decompressed", plain))
        yield


def process(source: Source, subject: str, work: Path) -> None:
    """What a run does for one eye of which nothing is there."""
    config = ProcessingConfig()
    cohort = pd.DataFrame({"subject": [subject], "field_of_view_mm": [6.0]})
    found = {}
    for number, job in enumerate(
        jobs(recipes.inspections(source, [subject], config, MODALITIES), INSPECTED, EXECUTION)
    ):
        store = Store(work / "inspected")
        found[number] = store.open_all(store.put_all(job, "inspected"))
    processing = recipes.processing(source, cohort, found[0], {}, config)
    for job in jobs(processing, PARTS, EXECUTION):
        Store(work / "processed").put_all(job, "processed")


def spent(work: Callable[[], None]) -> Times:
    """Wall and CPU seconds of `work`."""
    started = now()
    work()
    return tuple(after - before for before, after in zip(started, now(), strict=True))  # type: ignore[return-value]


def measure_eye(eye: Path, subject: str, repeats: int) -> None:
    """Both layouts, checked and unchecked in turn."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        work = Path(folder)
        zipfile.ZipFile(eye).extractall(work / "release")
        release = Octa500Release(work / "release")
        table = [f"subject,path,oct_path\n{subject},octa.nii.gz,oct.nii.gz\n"]
        for modality in MODALITIES:
            volume = release.volume(subject, modality)
            write_nifti(work / "nifti" / f"{modality.lower()}.nii.gz", volume.array, volume.affine)
        (work / "nifti" / "subjects.csv").write_text(table[0])
        sources = {"B-scans": (release, work / "release"), ".nii.gz": (NiftiFolder(work / "nifti"), work / "nifti")}
        print("| an eye from | checked, s (CPU) | unchecked, s (CPU) | ratio (CPU) |\n|---|---|---|---|")
        for name, (source, root) in sources.items():
            pairs, discreet = [], DiscreetSource(source, root)
            for number in range(repeats + 1):  # the first fills caches
                place = work / f"{name}-{number}"
                checked = spent(lambda: process(discreet, subject, place / "checked"))  # noqa: B023
                with unchecked():
                    pairs.append((checked, spent(lambda: process(source, subject, place / "unchecked"))))  # noqa: B023
            report_pairs(name, pairs[1:])


def report_pairs(name: str, pairs: list[tuple[Times, Times]]) -> None:
    """One line of the table."""
    median = [[statistics.median(pair[way][kind] for pair in pairs) for kind in (0, 1)] for way in (0, 1)]
    ratio = [statistics.median(pair[0][kind] / pair[1][kind] for pair in pairs) for kind in (0, 1)]
    shown = " | ".join(f"{wall:.2f} ({cpu:.2f})" for wall, cpu in median)
    print(f"| {name} | {shown} | {ratio[0]:.3f} ({ratio[1]:.3f}) |")


def measure_mission(project: Path, env: str, names: list[str]) -> None:
    """The share of a run that is spent in CHECKS."""
    seconds: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    inside: list[str] = []

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            if inside:
                return function(*arguments, **named)
            inside.append(name)
            started = now()
            try:
                return function(*arguments, **named)
            finally:
                inside.pop()
                for kind, (before, after) in enumerate(zip(started, now(), strict=True)):
                    seconds[name][kind] += after - before
                seconds[name][2] += 1

        return run

    with ExitStack() as stack:
        for owner, name in CHECKS:
            function = getattr(owner, name)
            for module in [owner, *(m for key, m in sys.modules.items() if key.startswith("octa_kedro"))]:
                if getattr(module, name, None) is function:
                    stack.enter_context(patch.object(module, name, timed(name, function)))
        bootstrap_project(project)
        os.chdir(project)
        with KedroSession.create(project, env=env) as session:
            whole = spent(lambda: session.run(pipeline_names=names))
    print("| check | calls | wall, s | CPU, s | share of wall | share of CPU |\n|---|---|---|---|---|---|")
    seconds["all"] = [sum(one[kind] for one in seconds.values()) for kind in (0, 1, 2)]
    for name, (wall, cpu, calls) in seconds.items():
        print(f"| {name} | {calls:.0f} | {wall:.2f} | {cpu:.2f} | {wall / whole[0]:.2%} | {cpu / whole[1]:.2%} |")
    print(f"| the run | | {whole[0]:.1f} | {whole[1]:.1f} | | |")


def main() -> None:
    """Measure one of the two, print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["eye", "mission"])
    parser.add_argument("--eye", type=Path, default=SHARED / "octa500_10225.zip")
    parser.add_argument("--subject", default="10225")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--env", default="test")
    parser.add_argument("--pipelines", nargs="*", default=["__default__"])
    arguments = parser.parse_args()
    if arguments.what == "eye":
        measure_eye(arguments.eye, arguments.subject, arguments.repeats)
    elif arguments.project is None:
        parser.error("mission needs --project")
    else:
        measure_mission(arguments.project.absolute(), arguments.env, arguments.pipelines)


if __name__ == "__main__":
    main()
