"""Nodes that put everything that was found into one report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.configuration.config_loader import flatten
from octa_kedro.configuration.noted import noted_run
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.pipelines.naming import model_of
from octa_kedro.pipelines.node_function import node_function

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from octa_kedro.preprocessing.config import ProcessingConfig
    from octa_kedro.report.page import ReportPage
    from octa_kedro.report.study_data import Origin
    from octa_kedro.training.checkpoint import Checkpoint

OF_NETWORKS = ("facts", "history", "seen")
TABLE, FIGURE, DRAWN, DIGEST, PAGE = "table__", "figure__", "drawn__", "digest__", "page__"
"""Beginnings of the keywords of `write_report`; those of `OF_NETWORKS` are followed by ``__`` and a network's."""


@node_function
def describe_network(checkpoint: Checkpoint, metrics: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """A checkpoint -> what the report says of its network, and the model card that lies beside it."""
    from octa_kedro.report.model_card import model_card
    from octa_kedro.report.networks import network_facts

    card = checkpoint.card.model_dump(mode="json")
    facts = network_facts(card, sum(weights.numel() for weights in checkpoint.weights.values()))
    model = checkpoint.card.saved_as.split(".fold_", maxsplit=1)[0]
    return facts, model_card(model, facts, card, metrics)


@node_function
def write_report(
    flow: pd.DataFrame,
    splits: pd.DataFrame,
    metrics: pd.DataFrame,
    comparisons: pd.DataFrame,
    calibration: pd.DataFrame,
    permutation: pd.DataFrame,
    biomarkers: pd.DataFrame,
    predictions: pd.DataFrame,
    processing_settings: ProcessingConfig,
    config: EvaluationConfig,
    **found: Any,
) -> tuple[ReportPage, str]:
    """Tables, networks, figures and, where there are, explanations -> the report, and the same as Markdown."""
    from octa_kedro.report.markdown import page_as_markdown
    from octa_kedro.report.study import study_page
    from octa_kedro.report.study_data import Networks, Tables

    figures = named(found, FIGURE)
    drawn, digests, pages = named(found, DRAWN), named(found, DIGEST), named(found, PAGE)
    more = named(found, TABLE)
    tables = Tables(flow, splits, metrics, comparisons, calibration, permutation, biomarkers, more)
    networks = Networks(
        by_model(named(found, "facts__")), by_model(named(found, "history__")), drawn, named(found, "seen__")
    )
    explained = {model: (digest, pages[model]) for model, digest in digests.items() if digest and pages.get(model)}
    read = [flow, splits, metrics, comparisons, calibration, permutation, biomarkers, predictions, *more.values()]
    origin = origin_of(read, [*figures.values(), *drawn.values()], predictions, processing_settings)
    page = study_page(tables, networks, figures, explained, origin=origin, config=config)
    root = next(iter([*figures.values(), *drawn.values()])).parents[2]
    return page, page_as_markdown(page, root / "report.md" / "version")


def named(found: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Those of the keywords `found` that begin with `mark`, without it."""
    return {key.removeprefix(mark): value for key, value in found.items() if key.startswith(mark)}


def by_model(of_networks: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What is known of networks (keywords of `keyword`), as a list for each model."""
    found: dict[str, list[Any]] = {}
    for key, value in of_networks.items():
        found.setdefault(model_of(key), []).append(value)
    return found


def origin_of(
    tables: Iterable[pd.DataFrame], figures: Iterable[Path], predictions: pd.DataFrame, processing: ProcessingConfig
) -> Origin:
    """What the process and the seals of what was read tell."""
    import torch

    from octa_kedro.io.seals import read_seal
    from octa_kedro.report.origin import Changed, Read
    from octa_kedro.report.study_data import Origin

    noted, made = noted_run(), predictions.attrs.get("made")
    read = [(table.attrs.get("made"), table.attrs.get("version", "")) for table in tables]
    read += [(read_seal(file)[0], file.parent.name) for file in figures]
    settings = flatten(processing.model_dump(mode="json"))
    words = [f"{name} {value}" for name, value in settings.items() if value is not None]
    return Origin(
        changed=None if noted is None else [Changed(*row) for row in noted.changed],
        environment="" if noted is None else noted.environment,
        read=[Read(one.name, version, one.sha256) for one, version in read if one is not None],
        made_from=made.made_from if made is not None else {},
        source="" if noted is None else noted.source,
        gpu=torch.cuda.get_device_name(0) if torch.cuda.is_available() else "",
        processing="; ".join(words),
    )
