"""The whole mission on a tiny phantom: what it leaves, and that nothing leaks."""

import math

import nibabel as nib
import numpy as np
import pytest

from octa_kedro.configuration.structure import Structure, use_structure
from octa_kedro.io.notes import read_note
from octa_kedro.pipeline_registry import register_pipelines
from tests.pipelines.conftest import catalog
from tests.report.links import links_of, target

FIGURES = ("roc", "precision_recall", "confusion", "reliability", "decision", "forest", "spread", "errors")
MODELS = ("training_3d", "training_2d", "training_2d_two_slabs")
FLOORS = ("depth_profile", "biomarkers", "enface_histogram", "confounders", "majority")


def test_every_model_predicts_every_eye_once(mission):
    project, _ = mission
    predictions = catalog(project).load("evaluation.predictions")
    splits = catalog(project).load("splits")
    assert set(predictions["model"]) == {*MODELS, *(f"floor_{name}" for name in FLOORS)}
    for _, rows in predictions.groupby("model"):
        assert sorted(rows["subject"]) == sorted(splits["subject"])
        held_out = set(splits.loc[splits["held_out"], "subject"])
        assert set(rows.loc[rows["part"] == "held_out", "subject"]) == held_out
    assert predictions["probability"].between(0, 1).all()


def test_every_eye_has_its_biomarkers_and_every_model_its_null(mission):
    loaded = catalog(mission[0])
    table, splits = loaded.load("biomarkers"), loaded.load("splits")
    assert sorted(table["subject"]) == sorted(splits["subject"])
    assert table["thickness_retina_inner_nasal"].between(200, 450).all()
    assert table["vessel_density_SVP_whole"].isna().all()
    assert table["reasons"].str.contains("apart do not resolve capillaries").all()
    assert table["reasons"].str.contains("too far apart for an avascular zone").all()
    for subject, stored in loaded.load("biomarker_masks").items():
        raw = loaded.load("source").volume(subject, "OCTA")
        np.testing.assert_allclose(np.abs(nib.load(stored.path).affine[:2, :2]), np.abs(raw.affine[:2, :2]), atol=1e-6)
    null = loaded.load("evaluation.label_permutation")
    assert len(null) == 2 * (len(MODELS) + len(FLOORS))
    assert null["p_value"].between(0, 1).all()


def test_no_network_has_seen_what_it_is_judged_on(mission):
    project, _ = mission
    loaded = catalog(project)
    for fold in (1, 2):
        table = loaded.load(f"splits_fold_{fold}")
        judged = set(table.loc[table["role"] != "train", "subject"])
        encoder = loaded.load(f"pretraining.fold_{fold}.checkpoint").card
        assert encoder.learnt_from()
        assert not encoder.learnt_from() & judged
        for model in MODELS:
            card = loaded.load(f"{model}.fold_{fold}.checkpoint").card
            assert card.learnt_from() == set(table.loc[table["role"] == "train", "subject"])


def test_the_last_epoch_is_kept(mission):
    project, _ = mission
    loaded = catalog(project)
    history = loaded.load("training_3d.fold_1.history")
    card = loaded.load("training_3d.fold_1.checkpoint").card
    assert history["best"].tolist() == [False] * (len(history) - 1) + [True]
    assert card.epoch == history["epoch"].iloc[-1] == len(history)
    assert card.metrics["val_loss"] == pytest.approx(history["val_loss"].iloc[-1])


def test_maps_lie_on_their_images(mission):
    project, _ = mission
    loaded = catalog(project)
    maps, images = loaded.load("explainability.training_3d.maps"), loaded.load("processed_volumes")
    assert maps.keys() == images.keys()
    for subject, stored in maps.items():
        heat, image = nib.load(stored.path), images[subject]()
        assert heat.shape == image.array.shape
        np.testing.assert_allclose(heat.affine, image.affine, atol=1e-6)
        assert heat.get_fdata().min() >= 0
    layer = loaded.load("explainability.training_3d.layer")
    assert layer["cell_mm"][0] <= 0.1


def test_maps_of_held_out_eyes_lie_over_their_raw_scans(mission):
    project, version = mission
    loaded = catalog(project)
    source, maps = loaded.load("source"), loaded.load("explainability.training_3d.maps")
    over = loaded.load("explainability.training_3d.maps_over_scan")
    assert sorted(over) == sorted(loaded.load("splits").query("held_out")["subject"])
    for subject, stored in over.items():
        raw, heat, placed = source.volume(subject, "OCTA"), stored(), maps[subject]()
        assert heat.array.shape == raw.array.shape
        np.testing.assert_allclose(nib.load(stored.path).affine, raw.affine, atol=1e-6)
        there = centroid_mm(placed.array, nib.load(maps[subject].path).affine)  # whether it was mirrored or not
        np.testing.assert_allclose(centroid_mm(heat.array, heat.affine), there, atol=max(placed.spacing))
        folder = project / "data/test/07_model_output/training_3d/maps_over_scan" / version
        assert (folder / f"{subject}_map_over_scan.nii.gz").is_file()


def centroid_mm(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Where a map has its weight."""
    weight = np.maximum(array, 0).astype(float)
    index = [
        (weight.sum(tuple({0, 1, 2} - {a})) * np.arange(n)).sum() / weight.sum() for a, n in enumerate(array.shape)
    ]
    return (affine @ [*index, 1.0])[:3]


def test_metrics_have_intervals_and_figures_exist(mission):
    project, version = mission
    metrics = catalog(project).load("evaluation.metrics")
    auroc = metrics[metrics["metric"] == "auroc"]
    models = {*MODELS, *(f"floor_{name}" for name in FLOORS)}
    assert len(auroc) == 2 * len(models)
    assert set(auroc["model"]) == models
    assert (auroc["low"].isna() <= (auroc["reason"] != "")).all()
    assert (auroc["low"] <= auroc["high"]).sum() > len(MODELS)
    pairs = catalog(project).load("evaluation.comparisons").query("metric == 'auroc'")
    assert len(pairs) == 2 * math.comb(len(models), 2)
    assert set(catalog(project).load("evaluation.calibration")["model"]) == models
    assert catalog(project).load("evaluation.report").startswith("# What the comparison shows")
    reporting = project / "data" / "test" / "08_reporting"
    for name in (*FIGURES, "history_training_3d", "history_training_2d"):
        for kind in ("png", "svg"):
            assert (reporting / f"{name}.png" / version / f"{name}.{kind}").stat().st_size > 10_000
    groups = catalog(project).load("evaluation.subgroups")
    assert set(groups["model"]) == models
    assert set(catalog(project).load("evaluation.errors")["model"]) <= {"training_3d"}
    held_out = catalog(project).load("splits").query("held_out")["subject"]
    for model in ("training_3d", "training_2d"):
        drawn = sorted(p.stem for p in (reporting / f"maps_{model}" / version).rglob("*.png"))
        assert drawn == sorted(held_out)


def test_lesions_are_scored(mission):
    project, _ = mission
    scores = catalog(project).load("explainability.training_3d.scores")
    assert {"map", "brightness", "edges", "2D map, extruded"} <= set(scores["method"])
    scores = scores[scores["method"] == "map"]
    diseased = scores[scores["disease"] != "NORMAL"]
    assert diseased["lesion_share_of_grid"].between(0, 1, inclusive="neither").all()
    assert diseased["slab_share_of_retina"].between(0.2, 0.8).all()
    assert scores.loc[scores["disease"] == "NORMAL", "peak_in_lesion"].isna().all()


def test_every_judged_eye_is_scored_beside_a_network_of_random_weights(mission):
    project, _ = mission
    loaded = catalog(project)
    scores = loaded.load("explainability.training_3d.scores")
    judged = scores[(scores["method"] == "map") & scores["correct"] & (scores["target"] == 1)]
    assert set(scores.loc[scores["method"] == "random weights", "subject"]) == set(judged["subject"])
    assert set(loaded.load("explainability.training_3d.random_maps")) == set(judged["subject"])
    held_out = scores["part"] == "held_out"
    assert scores.loc[held_out, "spread"].notna().all()
    assert scores.loc[~held_out, "spread"].isna().all()  # a development eye is judged by one network


def test_maps_of_held_out_eyes_are_checked(mission):
    project, version = mission
    loaded = catalog(project)
    scores = loaded.load("explainability.training_3d.scores").query("method == 'map' and part == 'held_out'")
    judged = set(scores.loc[scores["correct"] & (scores["target"] == 1), "subject"])
    faithfulness, sanity = (loaded.load(f"explainability.training_3d.{name}") for name in ("faithfulness", "sanity"))
    assert set(faithfulness["subject"]) == judged  # these are fewer than are asked for
    assert set(sanity.loc[sanity["comparison"] == "random weights", "subject"]) == judged
    assert ("Conclusions" in loaded.load("explainability.training_3d.checks")) == bool(judged)
    figure = project / "data/test/08_reporting/map_randomisation_training_3d.png" / version
    assert (figure / "map_randomisation_training_3d.png").stat().st_size > 10_000


def test_checkpoints_explain_themselves(mission):
    project, version = mission
    path = project / "data/test/06_models/training_3d/fold_1/checkpoint.safetensors" / version / "checkpoint.json"
    card = read_note(path)
    assert card["classes"] == ["NORMAL", "DISEASED"]
    assert card["model"]["widths"] == [4, 4, 8, 8]
    assert card["processing"]["grid"] == [32, 32, 64]


@pytest.mark.parametrize("source", ["phantom", "octa500", "nifti_folder"])
def test_inputs_and_outputs_of_gpu_nodes_are_persisted(mission, source: str):
    project, _ = mission
    models = {"training_3d": 3, "training_2d": 2}
    use_structure(Structure(source=source, folds=2, pretraining=True, models=models, explain=tuple(models)))
    try:
        pipelines = register_pipelines()
    finally:
        use_structure(Structure(source="phantom", folds=1, pretraining=False, models={"training_3d": 3}))
    loaded = catalog(project)
    gpu = [node for name in ("__default__", "inference") for node in pipelines[name].nodes if "gpu" in node.tags]
    assert {node.func.__name__ for node in gpu} >= {"train_fold", "explain_model"}
    for node in gpu:
        for dataset in {*node.inputs, *node.outputs}:
            if not dataset.startswith("params:"):
                assert type(loaded.get(dataset)).__name__ != "MemoryDataset", dataset
    assert ("phantom" in pipelines) == (source == "phantom")


def test_the_page_of_results_leads_to_figures_and_viewer_and_back(mission):
    project, version = mission
    page = project / "data/test/08_reporting/explanation_training_3d.html" / version / "explanation_training_3d.html"
    links = links_of(page)
    assert [link for link in links if not target(page, link).exists()] == []
    viewer = next(target(page, link) for link in links if link.endswith("index.html"))
    back = (viewer.parent / "back.js").read_text().split('"')[1]
    assert (viewer.parent / back).resolve() == page.resolve()
    held_out = set(catalog(project).load("splits").query("held_out")["subject"])
    assert {target(page, link).stem for link in links if link.endswith(".gif")} == held_out
