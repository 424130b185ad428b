"""The checks of maps in plain words: what was found, with intervals over patients, and what follows from it."""

import math
from collections.abc import Callable
from functools import partial

import pandas as pd

from octa_kedro.evaluation.predictions import patients_behind
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.explain.checked_cohort import BRIGHTNESS, CASCADE, EYES, EYES_AND_NETWORKS, NETWORKS
from octa_kedro.explain.checks import BLUR, DONOR, ROAD
from octa_kedro.explain.faithfulness import RANDOM
from octa_kedro.explain.summary import Bootstrap
from octa_kedro.explain.verdict import FEWEST_PATIENTS

Triple = tuple[float, float, float]
Sentence = Callable[[Triple, Triple, Triple], str]
_HEAD = (
    "Faithfulness: blocks of the retina are replaced, in the order of a map, by those of a healthy eye of the "
    "development set, or of the eye blurred in plane.",
    "Deletion and insertion gain: how much faster than in a random order the network's evidence (margin of logits) is "
    "lost or comes back, as a share of all of it.",
    "ROAD gain: blocks are filled in from around them; the margin lost with the most marked blocks less that with the "
    "least marked, beyond a random order, in logits.",
)
_GAINS = {"deletion gain": "deletion_gain", "insertion gain": "insertion_gain", "ROAD gain": "road_gain"}
_TESTS = {DONOR: "Replaced by a healthy eye", BLUR: "Replaced by the blurred eye", ROAD: "Filled in (ROAD)"}


def format_checks(faithfulness: pd.DataFrame, sanity: pd.DataFrame, bootstrap: Bootstrap, *, title: str) -> str:
    """Tables and conclusions of what `checked_cohort.check_maps` found, for a method called `title`."""
    if faithfulness.empty:
        return (
            f"{title}: maps are not checked, since no held-out eye of the explained class is classified correctly, or "
            "explainability.checked_eyes is 0 (N checks N eyes of every disease).\n"
        )
    eyes = faithfulness.drop_duplicates("subject")
    diseases = ", ".join(f"{n} {disease}" for disease, n in eyes["disease"].value_counts(sort=False).items())
    lines = [f"{title}: maps of {len(eyes)} held-out, correctly classified eyes ({diseases})", "", *_HEAD, ""]
    lines += _gain_table(faithfulness, bootstrap)
    lines += ["", f"In brackets: {100 * bootstrap.level:g} % intervals over patients.", "", "Conclusions"]
    lines += [f"* {sentence}" for sentence in conclusions(faithfulness, sanity, bootstrap)]
    return "\n".join(lines) + "\n"


def conclusions(faithfulness: pd.DataFrame, sanity: pd.DataFrame, bootstrap: Bootstrap) -> list[str]:
    """All that follows from the checks, a sentence each; nothing where no eye was checked."""
    if faithfulness.empty:
        return []
    return [*conclude_faithfulness(faithfulness, bootstrap), *conclude_sanity(sanity, bootstrap)]


def conclude_faithfulness(table: pd.DataFrame, bootstrap: Bootstrap) -> list[str]:
    """Does the network use what the map marks? A sentence for each test: the mean of deletion and insertion gain
    against a random order, and, eye by eye, against brightness."""
    return [_conclude_test(rows, words, bootstrap) for words, rows in _by_test(table)]


def conclude_sanity(table: pd.DataFrame, bootstrap: Bootstrap) -> list[str]:
    """Does the map depend on the weights, and do networks agree? A sentence each, where there is anything to compare
    with: rank correlations beside those of maps of different eyes, the difference taken eye by eye."""
    curve = table[table["comparison"] == CASCADE]
    last = curve[curve["level"] == curve["level"].max()]
    null = table[table["comparison"] == EYES]
    beside = f"structural similarity {last['ssim'].mean():.2f}, of different eyes {null['ssim'].mean():.2f}"
    found = [
        _against_null(last, null, bootstrap, partial(_weights_sentence, beside=beside)),
        _against_null(
            table[table["comparison"] == NETWORKS],
            table[table["comparison"] == EYES_AND_NETWORKS],
            bootstrap,
            _networks_sentence,
        ),
    ]
    return [sentence for sentence in found if sentence]


def _gain_table(table: pd.DataFrame, bootstrap: Bootstrap) -> list[str]:
    width = max(len(str(method)) for method in table["method"])
    lines = []
    for words, rows in _by_test(table):
        lines.append(f"  {words}")
        for method, own in rows.groupby("method", sort=False):
            if method != RANDOM:
                gains = {name: bootstrap.mean(own[column], own) for name, column in _GAINS.items()}
                told = [f"{name} {_signed(g)}" for name, g in gains.items() if not math.isnan(g[0])]
                lines.append(f"    {method:<{width}}  {', '.join(told) or 'n/a: no evidence is lost at all'}")
    return lines


def _by_test(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(words, table[table["test"] == test]) for test, words in _TESTS.items() if (table["test"] == test).any()]


def _conclude_test(rows: pd.DataFrame, words: str, bootstrap: Bootstrap) -> str:
    gain = rows[["deletion_gain", "insertion_gain"]].mean(axis=1).fillna(rows["road_gain"])
    rows = rows.assign(gain=gain)
    bright = rows[rows["method"] == BRIGHTNESS].set_index("subject")["gain"]
    own = rows[~rows["method"].isin([BRIGHTNESS, RANDOM])].set_index("subject", drop=False)
    above_random, above_bright = (bootstrap.mean(values, own) for values in (own["gain"], own["gain"] - bright))
    patients = patients_behind(own[own["gain"].notna()]).nunique()
    figures = f"{_signed(above_random)} to a random order, {_signed(above_bright)} to brightness"
    if patients < FEWEST_PATIENTS:
        return f"{words}: {patients} patients, too few for a conclusion; {FEWEST_PATIENTS} are needed ({figures})."
    if not above_random[1] > 0:
        return f"{words}: the network does not use what the map marks more than any other place ({figures})."
    also = "and more than what is bright" if above_bright[1] > 0 else "but not more than what is bright"
    return f"{words}: the network uses what the map marks more than any other place, {also} ({figures})."


def _against_null(rows: pd.DataFrame, null: pd.DataFrame, bootstrap: Bootstrap, say: Sentence) -> str:
    """`say` of the mean rank correlation of `rows`, that of the null, and their difference; empty without either."""
    own = rows.groupby("subject")["spearman"].mean()
    ends = pd.concat([null[["subject", "spearman"]], null[["other", "spearman"]].rename(columns={"other": "subject"})])
    others = ends.groupby("subject")["spearman"].mean()
    eyes = rows.drop_duplicates("subject").set_index("subject", drop=False)
    triples = [bootstrap.mean(v.reindex(eyes.index), eyes) for v in (own, others, own - others)]
    if any(math.isnan(triple[0]) for triple in triples):
        return ""
    patients = patients_behind(eyes).nunique()
    return say(*triples) if patients >= FEWEST_PATIENTS else _too_few(say(*triples), patients)


def _weights_sentence(end: Triple, null: Triple, gain: Triple, beside: str) -> str:
    figures = (
        f"rank correlation with the trained network's map falls from 1 to {format_interval(*end)} when all weights are "
        f"random, where maps of different eyes have {format_interval(*null)}; {beside}"
    )
    if gain[1] > 0:
        return (
            f"Random weights: the map still looks alike ({figures}). Part of it shows the eye, not what was learnt: "
            "read it with care."
        )
    return f"Random weights: the map changes with the weights ({figures})."


def _networks_sentence(own: Triple, null: Triple, gain: Triple) -> str:
    figures = f"rank correlation {format_interval(*own)}; maps of different eyes have {format_interval(*null)}"
    if gain[1] > 0:
        return f"Other networks: those of other folds or seeds mark the same places of an eye ({figures})."
    return f"Other networks: those of other folds or seeds agree on an eye no more than on different eyes ({figures})."


def _too_few(sentence: str, patients: int) -> str:
    return f"{sentence} {patients} patients are too few to be sure; {FEWEST_PATIENTS} are needed."


def _signed(gain: Triple) -> str:
    mean, low, high = gain
    if math.isnan(mean):
        return "n/a"
    return f"{mean:+.2f}" + ("" if math.isnan(low) else f" [{low:+.2f}, {high:+.2f}]")
