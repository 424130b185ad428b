"""What reviewers ask for: the topics of CLAIM 2024 (Tejani et al. 2024, doi 10.1148/ryai.240300) and TRIPOD+AI (Collins
et al. 2024, doi 10.1136/bmj-2023-078378), in our own words, with what this project can say of each.

To answer one more topic, add its line here. Words in braces are facts of `report.study_facts`, or for the report of an
external test of `report.second_cohort`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

C, T, CT = "CLAIM", "TRIPOD+AI", "CLAIM, TRIPOD+AI"
ASK = "not available: you have to say "
"""How an answer begins that the project cannot know."""


class Item(NamedTuple):
    """A topic, who asks for it, the answer, and the datasets and parameters (``params:``) that it was taken from; an
    answer without a source says what the author has to write."""

    topic: str
    asked: str
    answer: str
    sources: tuple[str, ...] = ()


FACTS_OF_NETWORKS = "{model}.fold_{n}.facts"
SEEN = "{model}.fold_{n}.seen"
DIFFERS = " (what differs from the defaults is listed above)"
ITEMS = (
    # Title, abstract, introduction
    Item("The title names the kind of AI and of study", CT, ASK + "it in the title"),
    Item("A structured abstract", CT, ASK + "it; the first lines of this report have the results for it"),
    Item("Clinical background and what the model is for", CT, ASK + "who would use it, where in care, and why"),
    Item("Known inequalities between groups of patients", T, ASK + "what is known of them for this disease"),
    Item("Aims and hypotheses", CT, ASK + "them; the comparisons that were made are {pairs} pairs of models",
         ("evaluation.comparisons",)),
    # Data
    Item("Planned before or after the data were collected", C, ASK + "which"),
    Item("Where the data come from, and when they were taken", CT, "Source: {source}; the program read {eyes_in} "
         "eyes. " + ASK[0].upper() + ASK[1:] + "centres, dates and setting",
         ("flow_table",)),
    Item("Who was let in and who was left out", CT, "{used} of {eyes_in} eyes take part; the flow of eyes has every "
         "step and reason. Why patients came to be examined: " + ASK + "it", ("flow_table", "params:cohort",
         "params:quality")),
    Item("Treatments before the scan", T, ASK + "them"),
    Item("How scans were prepared", CT, "{processing}", ("processing_settings",)),
    Item("Choice of parts of the images", C, "{inputs}", (FACTS_OF_NETWORKS,)),
    Item("How patients' names were removed", C, ASK + "how; the program takes pseudonyms as they are given"),
    Item("Missing values", CT, "An eye whose files or measures are missing leaves with its reason and none is "
         "filled in for a network; {missing_age}", ("flow_table", "splits")),
    Item("How the scans were taken", C, "Fields of view: {fields}. Device, software and protocol: " + ASK + "them",
         ("splits",)),
    # Reference standard
    Item("What the truth is, and why that", CT, "Classes: {classes}. How an eye got its class: " + ASK + "it",
         ("splits",)),
    Item("Who decided the truth, and what they knew", CT, ASK + "who graded, with what training, and whether blinded"),
    Item("How far graders agree with each other and themselves", C, ASK + "it, with an interval"),
    # Partitions
    Item("How eyes were divided", CT, "{division}", ("splits", "params:splits")),
    Item("At which level the parts are disjoint", C, "Patients: at most {common} in common over {common_pairs} pairs "
         "of parts, counted in this report", ("splits", SEEN)),
    Item("Size of the sample", CT, "{used} eyes of {patients} patients. No size was planned by the program; the "
         "comparisons say how many eyes would show each difference", ("splits", "evaluation.comparisons")),
    Item("Imbalance of the classes", T, "{class_counts}. Weights of the loss and sampling are parameters of "
         "each model" + DIFFERS, ("splits", FACTS_OF_NETWORKS)),
    Item("Who the patients are, in each part", CT, "Counts by class, disease, field of view and, where given, age and "
         "sex stand under data and splits. Comorbidities and ethnicity: " + ASK + "them", ("splits",)),
    # Model
    Item("What the models are", CT, "{models}", (FACTS_OF_NETWORKS,)),
    Item("Software", C, "Python {python}, torch {torch}, MONAI {monai}; all versions are listed above",
         (FACTS_OF_NETWORKS,)),
    Item("Start weights", C, "{starts}", (FACTS_OF_NETWORKS,)),
    Item("How they were trained", CT, "In {folds} folds; {epochs}. Optimiser, rate, augmentation and loss "
         "are parameters of each model" + DIFFERS, (FACTS_OF_NETWORKS, "params:splits")),
    Item("How the final network was chosen", CT, "{rules}", (FACTS_OF_NETWORKS,)),
    Item("How networks are combined", C, "Held-out eyes: the mean probability of all networks of a model. Out of fold: "
         "the network that had not learnt from the eye", ("evaluation.predictions",)),
    Item("What a model gives, and from what value on an eye is called positive", T, "{outputs}; {threshold}",
         ("evaluation.metrics", "params:evaluation")),
    Item("Predictors beside the image", T, "None is given to a network. Floors use field of view, age, sex, side and "
         "quality, to show what these alone can do", ("evaluation.floor",)),
    # Evaluation
    Item("Measures of performance", CT, "{metric_names}", ("evaluation.metrics",)),
    Item("Uncertainty and tests", CT, "{level} % intervals that count patients: Wilson for shares, DeLong for AUROC, a "
         "bootstrap ({resamples} resamples) for the rest; DeLong, McNemar and bootstrap tests with Holm's correction",
         ("params:evaluation", "evaluation.comparisons")),
    Item("Calibration", T, "Before and after a temperature fitted out of fold", ("evaluation.calibration",)),
    Item("Robustness to other assumptions", C, "Plain floors and labels exchanged at random; {subgroups}",
         ("evaluation.floor", "evaluation.label_permutation")),
    Item("What the networks look at", C, "{explained}", ("explainability.{model}.digest",)),
    Item("Test on data of the same source", C, "{held_out} held-out eyes, on which nothing was trained or chosen",
         ("evaluation.predictions",)),
    Item("Test on data of another source", CT, ASK + "whether there was one; this report is of one source"),
    Item("How development and test data differ", T, "Both are parts of one source, drawn {stratified}; the table of "
         "parts has their counts", ("splits",)),
    Item("Fairness: performance in groups of patients", T, "{subgroups}. Groups that the table of eyes does not "
         "name: " + ASK + "how they fare", ("evaluation.predictions",)),
    Item("Models made anew or corrected after the test", T, "None: held-out eyes were judged once by the networks as "
         "they were trained", ("evaluation.predictions",)),
    # Results
    Item("Numbers at each step", CT, "The flow of eyes and the counts beside every figure", ("flow_table",)),
    Item("Results on every part, with precision", CT, "{result}", ("evaluation.metrics",)),
    Item("Failures", C, "Confusion matrices count them. What the wrong eyes have in common: " + ASK + "it",
         ("evaluation.confusion_figure",)),
    Item("The models themselves", T, "Checkpoints with a card each; their hashes are under versions and seals",
         ("{model}.fold_{n}.checkpoint", "{model}.fold_{n}.model_card")),
    # Discussion
    Item("What the results mean beside earlier work", CT, ASK + "it"),
    Item("Limits", CT, "{limits}. Further ones: " + ASK + "them", ("evaluation.metrics", "splits")),
    Item("What it means for practice, and for users with poor scans", CT, ASK + "it; quality limits are parameters",
         ("params:quality",)),
    # Openness
    Item("Ethics approval and consent", T, ASK + "them"),
    Item("Registration and protocol", CT, ASK + "where they are"),
    Item("Data, code and weights: who may have them", CT, "Code version {code_version}. Where data and weights are, "
         "and for whom: " + ASK + "it", (FACTS_OF_NETWORKS,)),
    Item("Funding and interests", CT, ASK + "them"),
    Item("Patients and public in the study", T, ASK + "whether and how they took part"),
)  # fmt: skip


OF_A_SECOND_COHORT = (
    Item("Test on data of another source", CT, "{used} eyes of {patients} patients, judged once by the networks of the "
         "development cohort", ("external_test.predictions",)),
    Item("Where these data come from, and when they were taken", CT, ASK + "centres, dates, setting and scanner of the "
         "second cohort"),
    Item("Who was let in and who was left out", CT, "{used} of {eyes_in} eyes take part; the flow of eyes has every "
         "step and reason", ("external_test.flow_table", "params:external_test", "params:cohort", "params:quality")),
    Item("What the truth is, and who decided it", CT, "Classes: {classes}. " + ASK[0].upper() + ASK[1:] + "how an eye "
         "got its class, and whether as in the development cohort", ("external_test.splits",)),
    Item("That nobody is in both cohorts", CT, "{strangers}", ("external_test.cohort_table", "params:external_test")),
    Item("How development and test data differ", T, "{shift}", ("external_test.shift",)),
    Item("Size of the sample", CT, "{used} eyes. No size was planned by the program; the comparisons say how many eyes "
         "would show each difference", ("external_test.splits", "external_test.comparisons")),
    Item("From what value on an eye is called positive", T, "{threshold}, chosen on the development cohort",
         ("external_test.metrics",)),
    Item("Models made anew or corrected after the test", T, "{frozen}", ("external_test.predictions",)),
    Item("Results, with precision", CT, "{result}", ("external_test.metrics",)),
    Item("Uncertainty and tests", CT, "{level} % intervals that count patients: Wilson for shares, DeLong for AUROC, a "
         "bootstrap ({resamples} resamples) for the rest", ("params:evaluation", "external_test.comparisons")),
    Item("Calibration", T, "As it is, and with the temperature of the development cohort",
         ("external_test.calibration",)),
    Item("Fairness: performance in groups of patients", T, "{subgroups}. Groups that the table of eyes does not name: "
         + ASK + "how they fare", ("external_test.subgroups",)),
    Item("Failures", C, "The worst errors are shown with their scans. What they have in common: " + ASK + "it",
         ("external_test.errors",)),
    Item("Models, training, and all other topics", CT, "See the report of the evaluation of the development cohort",
         ("evaluation.metrics",)),
)  # fmt: skip
"""What the report of an external test answers; its other topics are those of the development cohort."""


def answered(facts: Mapping[str, str], items: Sequence[Item] = ITEMS) -> list[tuple[str, str, str, str]]:
    """Topic, who asks for it, the answer with `facts` filled in, and where that was taken from.

    KeyError, a mistake of the program, for a fact that is not given.
    """
    return [
        (one.topic, one.asked, one.answer.format(**facts), ", ".join(one.sources) or "-")
        for one in items
    ]  # fmt: skip
