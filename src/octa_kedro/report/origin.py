"""Where a report comes from: machine, packages, parameters, versions of datasets and first digits of their seals."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.origin import CHECKPOINT
from octa_kedro.io.seals import PARAMETERS, SHOWN
from octa_kedro.report.sections import Section, Table

PACKAGES = (
    *("octa-kedro", "kedro", "torch", "monai", "timm", "lightning-fabric", "numpy", "scipy", "pandas"),
    *("scikit-learn", "scikit-image", "statsmodels", "SimpleITK", "nibabel", "grad-cam"),
)
NOT_KNOWN = "not available: the process that wrote this report was not told"


class Changed(NamedTuple):
    """A parameter that differs from the base environment's, and the place that has set it."""

    name: str
    value: str
    base: str
    place: str


class Read(NamedTuple):
    """A dataset that the report was made from: its version, empty where it has none, and its hash."""

    name: str
    version: str
    sha256: str


def environment_section(gpu: str, *times: Table) -> Section:
    """Machine, system, versions of the packages that compute, and how long it took."""
    terms = [
        ("Python", platform.python_version()),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("Processor", f"{_processor()}, {os.cpu_count()} logical processors"),
        ("Memory", _memory()),
        ("GPU", gpu or "none was found"),
    ]
    rows = [[name, _version(name)] for name in PACKAGES]
    text = ["The machine that wrote this report; networks may have been trained on another."]
    tables = [*times, Table(("package", "version"), rows, "Package versions", names=2, folded=True)]
    return Section("Environment, run time and hardware", text, tables=tables, terms=terms)


def parameter_section(changed: Sequence[Changed] | None, environment: str) -> Section:
    """What differs from the base environment."""
    title = "Parameters that differ from the defaults"
    if changed is None:
        return Section(title, [f"{NOT_KNOWN}."])
    where = f"Environment: {environment}. " if environment else ""
    if not changed:
        return Section(title, [f"{where}All are as in conf/base."])
    text = [f"{where}{len(changed)} differ from conf/base when this report was written; all others are as there."]
    return Section(title, text, tables=[Table(("parameter", "value", "default", "set by"), changed, names=4,
                                              prose=True)])  # fmt: skip


def version_section(read: Sequence[Read], made_from: Mapping[str, str]) -> Section:
    """Datasets of the catalog with their versions, and the networks, images and splits that were judged."""
    text = [
        f"The first {SHOWN} digits of SHA-256. A step refuses results that do not belong together, so that all of "
        "these do."
    ]
    rows = [[one.name, one.version or "-", one.sha256[:SHOWN]] for one in read]
    judged = sorted(name for name in made_from if not name.startswith(PARAMETERS))
    origin = [[name, _role(name), made_from[name][:SHOWN]] for name in judged]
    tables = [
        Table(("dataset", "version", "seal"), rows, "What this report was made from", names=3, folded=True),
        Table(("dataset", "what it is", "seal"), origin, "What the predictions were made from", names=3, folded=True),
    ]
    return Section("Versions and seals", text, tables=tables)


def _role(name: str) -> str:
    match = CHECKPOINT.fullmatch(name)
    return f"network: {readable_model(match['model'])}, fold {match['fold']}" if match else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            named = next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        named = ""
    return named.partition(":")[2].strip() or platform.processor() or "unknown"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError, AttributeError):  # not a system that tells
        return "unknown"
