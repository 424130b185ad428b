"""A step refuses results that do not belong together, and notes what its own are made from."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset, Version
from kedro.pipeline import Node

from octa_kedro.datasets.plain import JSONDataset
from octa_kedro.errors import DataError
from octa_kedro.evaluation.origin import describe_origin
from octa_kedro.io.seals import Made
from octa_kedro.running.evidence import EvidenceHooks, find_clash, history_of
from tests.exchanging import exchange

TRAINED = {"splits": "s1", "processed_volumes": "v1", "net.fold_1.checkpoint": "c1"}


def test_inputs_of_one_history_belong_together():
    assert find_clash({"p": Made("p", TRAINED), "seen": Made("q", TRAINED), "splits": Made("s1")}) is None


@pytest.mark.parametrize(
    ("other", "clash"),
    [
        ({"splits": Made("s2")}, "splits"),
        ({"processed_volumes": Made("v2")}, "processed_volumes"),
        ({"floor": Made("f", {"processed_volumes": "v2"})}, "processed_volumes"),
        ({"seen": Made("q", TRAINED | {"net.fold_1.checkpoint": "c2"})}, "net.fold_1.checkpoint"),
    ],
)
def test_a_dataset_with_two_contents_is_found(other: dict[str, Made], clash: str):
    assert find_clash({"net.fold_1.predictions": Made("p", TRAINED)} | other)[0] == clash


def test_a_history_ends_at_what_stands_for_itself():
    splits = Made("s1", {"drawn_splits": "d"}, passes_on=False)
    assert history_of({"fold": Made("f", {"splits": "s1"}), "splits": splits}) == {
        "fold": "f",
        "splits": "s1",
    }
    assert history_of({"fold": Made("f", {"splits": "s1"})}, whole=False) == {"fold": "f"}


def step(inputs: list[str], output: str, *tags: str) -> Node:
    return Node(lambda *values: sum(values), inputs, output, name=f"make_{output}", tags=tags)


class Project:
    """A catalog of numbers, and nodes that add them up, run as Kedro runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.version = folder, 0

    def catalog(self, **load: str) -> DataCatalog:
        names = ("source", "splits", "net", "seen", "report")
        kept = {
            name: JSONDataset(
                filepath=(self.folder / f"{name}.json").as_posix(), version=Version(load.get(name), f"v{self.version}")
            )
            for name in names
        }
        return DataCatalog(kept | {"memory": MemoryDataset(1)})

    def put(self, name: str, value: int) -> None:
        self.version += 1
        self.catalog().save(name, value)

    def run(self, node: Node, **load: str) -> None:
        self.version += 1
        catalog = self.catalog(**load)
        values = {name: catalog.load(name) for name in node.inputs}
        EvidenceHooks().before_node_run(node, catalog)
        for name, value in node.run(values).items():
            catalog.save(name, value)


NET, REPORT = step(["splits", "memory"], "net"), step(["net", "splits"], "report")


def test_a_result_of_other_splits_is_refused_naming_both_versions(tmp_path: Path):
    project = Project(tmp_path)
    project.put("splits", 1)
    project.run(NET)
    project.run(REPORT)
    project.put("splits", 2)
    with pytest.raises(DataError) as caught:
        project.run(REPORT)
    words = str(caught.value)
    assert words.startswith("net was made from splits ")
    assert "(version v1), but this step reads " in words
    assert "(version v4): they do not belong together; run the pipelines that make net again" in words
    project.run(REPORT, splits="v1")  # versions that belong together


def test_the_same_content_under_another_version_is_the_same(tmp_path: Path):
    project = Project(tmp_path)
    project.put("splits", 1)
    project.run(NET)
    project.put("splits", 1)
    project.run(REPORT)


def test_what_data_processing_makes_is_compared_and_its_own_history_is_not(tmp_path: Path):
    project = Project(tmp_path)
    project.put("source", 1)
    project.run(step(["source"], "splits", "data_processing"))
    project.run(NET)
    project.put("source", 1 - 1 + 2)
    with pytest.raises(DataError, match=r"splits was made from source \w+ \(version v1\), but this step reads"):
        project.run(step(["splits", "source"], "report"))
    project.run(step(["net", "source"], "report"))


def test_a_report_says_what_was_judged():
    made = {f"net.fold_{k}.checkpoint": f"c{k}" * 20 for k in (10, 2)} | {"splits": "s" * 64, "enface_maps": "e" * 64}
    text = describe_origin(made | {"pretraining.fold_2.checkpoint": "w" * 64})
    assert f"- made by checkpoint net: fold 2 {'c2' * 6}, fold 10 c10c10c10c10" in text
    assert f"- start weights of pretraining: fold 2 {'w' * 12}" in text
    assert f"- from volumes: enface_maps {'e' * 12}\n- splits: {'s' * 12}\n" in text
    assert describe_origin({}) == ""


def test_files_under_the_name_of_another_dataset_are_refused(tmp_path: Path):
    project = Project(tmp_path)
    project.put("source", 1)
    project.run(step(["source"], "net"))
    project.run(step(["source"], "seen"))
    for end in ("", ".seal.json"):
        exchange(*(next((tmp_path / f"{name}.json").glob(f"*/{name}.json{end}")) for name in ("net", "seen")))
    with pytest.raises(
        DatasetError, match=r"net.json.seal.json: damaged \(it is seen.json.seal.json under another name"
    ):
        project.run(step(["net"], "report"))


def test_files_of_another_fold_are_refused():
    dataset = JSONDataset(filepath="fold_1/p.json")
    dataset.made = Made("p", name="fold_2.predictions")
    catalog = DataCatalog({"fold_1_predictions": dataset})
    with pytest.raises(
        DataError, match=r"fold_1_predictions \(fold_1/p.json\): its files are those of fold_2.predictio"
    ):
        EvidenceHooks().before_node_run(step(["fold_1_predictions"], "report"), catalog)


def test_folds_that_were_trained_with_different_parameters_do_not_belong_together():
    folds = [Made(f"p{n}", TRAINED | {"params:net": f"{n}"}) for n in (1, 2)]
    assert find_clash({"one": folds[0], "other": folds[1]})[0] == "params:net"


@pytest.mark.parametrize(("judged", "left_out"), [(1, {}), (2, {"seen": None})])
def test_what_a_step_can_do_without_is_left_out_where_it_belongs_to_other_results(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, judged: int, left_out: dict[str, None]
):
    project = Project(tmp_path)
    project.put("splits", 1)
    project.run(step(["splits"], "seen"))
    project.put("splits", judged)
    catalog = project.catalog()
    catalog.get("seen").dispensable = True
    node = step(["splits", "seen"], "report")
    for name in node.inputs:
        catalog.load(name)
    assert EvidenceHooks().before_node_run(node, catalog) == left_out
    assert ("seen was made from other results" in caplog.text) == bool(left_out)
    assert ("seen" in catalog.get("report").made_from) == (not left_out)


def test_what_a_step_can_do_without_need_not_be_there(tmp_path: Path):
    path = (tmp_path / "x.json").as_posix()
    assert JSONDataset(filepath=path, dispensable=True, version=Version(None, "v1")).load() is None
    with pytest.raises(DatasetError):
        JSONDataset(filepath=path, version=Version(None, "v1")).load()
