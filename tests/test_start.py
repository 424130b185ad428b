"""Kedro's commands start at once: what describes a run imports no library that computes."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = (
    "torch", "torchvision", "monai", "timm", "sklearn", "scipy", "matplotlib", "SimpleITK", "nibabel", "cv2", "numba",
    "pytorch_grad_cam", "optuna", "lightning_fabric", "skimage",
)  # fmt: skip
PROJECT = """
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
bootstrap_project({root!r})
"""
SCRIPTS = {
    "the registry": "from kedro.framework.project import pipelines\nassert len(dict(pipelines)) > 9",
    "parameters": "with KedroSession.create({root!r}, env={env!r}) as session:\n    session.load_context()",
    "the catalog": (
        "with KedroSession.create({root!r}, env={env!r}) as session:\n"
        "    catalog = session.load_context().catalog\n"
        "    from kedro.framework.project import pipelines\n"
        "    names = set().union(*(pipeline.datasets() for pipeline in dict(pipelines).values()))\n"
        "    assert len([catalog.get(name) for name in names if not name.startswith('params:')]) > 50"
    ),
}


def imported(script: str) -> set[str]:
    """Top-level packages that a fresh process has imported after `script`."""
    code = f"{script}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("what", "env"), [("the registry", ""), *((what, env) for what in [*SCRIPTS][1:] for env in ("local", "octa500"))]
)
def test_describing_a_run_imports_nothing_that_computes(what: str, env: str):
    script = (PROJECT + SCRIPTS[what]).format(root=str(ROOT), env=env)
    assert not imported(script) & set(HEAVY)


def test_the_registry_needs_no_pandas_either():
    assert not imported((PROJECT + SCRIPTS["the registry"]).format(root=str(ROOT))) & {"pandas", "numpy"}
