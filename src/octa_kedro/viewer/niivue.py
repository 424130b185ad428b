"""NiiVue, the library of the page, taken from the installed package ipyniivue."""

import re
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from octa_kedro.errors import ConfigError

BUNDLE = "ipyniivue/static/widget.js"
# The bundle is an ES module that exports a widget only; the widget makes its viewer right after this message.
CLASS = re.compile(r'"Creating new Niivue instance"\);.{0,200}?=\s*new ([\w$]+)\(', re.DOTALL)
EXPORT = re.compile(r"export\s*\{[^{}]*\};?\s*$")
INSTALL = "install it in the version that requirements.lock names"


def niivue_script() -> str:
    """A classic script that defines ``globalThis.Niivue``, with NiiVue's licence in front.

    Browsers refuse to load modules from files, so the bundle is wrapped. ConfigError says what to install if the
    package is missing, or of a version whose bundle is built in another way.
    """
    try:
        package = distribution("ipyniivue")
    except PackageNotFoundError as error:
        raise ConfigError(f"the viewer needs the package ipyniivue; {INSTALL}") from error
    bundle = Path(str(package.locate_file(BUNDLE)))
    if not bundle.is_file():
        raise ConfigError(f"{bundle}: missing from ipyniivue {package.version}; {INSTALL} again")
    licence = next((file for file in package.files or () if file.name == "LICENSE"), None)
    terms = licence.read_text(encoding="utf-8") if licence else f"Licence: {package.metadata['License']}"
    return as_classic_script(bundle.read_text(encoding="utf-8"), terms)


def as_classic_script(module: str, licence: str) -> str:
    """The widget's ES module as a script that keeps NiiVue's class as ``globalThis.Niivue``."""
    made, export = CLASS.search(module), EXPORT.search(module)
    if made is None or export is None or re.search(r"\bimport\.meta\b|^\s*import\b", module):
        raise ConfigError(f"NiiVue's class is not found in ipyniivue {version('ipyniivue')}; {INSTALL}")
    # A licence must not end the comment that it stands in.
    head = f"/* From ipyniivue {version('ipyniivue')}.\n{licence.replace('*/', '* /')}\n*/"
    return f"{head}\n(() => {{\n{module[: export.start()]}\n;globalThis.Niivue = {made.group(1)};\n}})();\n"
