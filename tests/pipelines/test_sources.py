"""The environments: each is complete, and labelled volumes that are not OCTA run as well."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain.localisation import peak_voxel
from octa_kedro.io.millimetres import Anatomy
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.volume import scan_affine
from tests.pipelines.conftest import catalog, kedro, run

ANY: Anatomy = "any"
SPLITS = ["train"] * 10 + ["val"] * 6 + ["test"] * 8
SMALL = {
    "training_3d": {"model": {"name": "resnet10", "widths": [4, 4, 8, 8]}, "max_epochs": 2},
    "evaluation": {"resamples": 100},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Volumes of 12 x 14 x 16 voxels; a positive one holds a cube."""
    rng, root = np.random.default_rng(0), tmp_path / "volumes"
    for index in range(24):
        array = rng.integers(0, 60, (12, 14, 16)).astype(np.uint8)
        if index % 2:
            array[4:8, 4:8, 4:8] = 200
        write_nifti(root / f"v{index}.nii.gz", array, scan_affine(array.shape, (24.0, 28.0, 32.0)))
    names = [f"v{i}" for i in range(24)]
    table = {
        "subject": names,
        "path": [f"{n}.nii.gz" for n in names],
        "label": [i % 2 for i in range(24)],
        "split": SPLITS,
    }
    pd.DataFrame(table).to_csv(root / "subjects.csv", index=False)
    return root


def test_a_folder_of_nifti_files_is_trained_and_evaluated_on_its_own_split(project: Path, folder: Path):
    params = SMALL | {"source": {"path": str(folder), "anatomy": ANY}}
    run(project, env="nifti_folder", params=params)
    loaded = catalog(project, env="nifti_folder")
    predictions = loaded.load("evaluation.predictions").query("model == 'training_3d'")
    assert sorted(predictions.query("part == 'held_out'")["subject"]) == sorted(f"v{i}" for i in range(16, 24))
    assert sorted(predictions.query("part == 'out_of_fold'")["subject"]) == sorted(f"v{i}" for i in range(10, 16))
    assert loaded.load("training_3d.fold_1.checkpoint").card.classes == ("0", "1")
    assert loaded.load("training_3d.fold_1.checkpoint").card.processing.grid == (32, 32, 32)
    image = loaded.load("processed_volumes")["v1"]()
    assert image.extent_mm == pytest.approx((24, 28, 32))
    assert loaded.load("explainability.training_3d.maps").keys() == {f"v{i}" for i in range(10, 24)}


@pytest.mark.slow
def test_the_map_of_a_trained_network_finds_what_was_planted(project: Path, folder: Path):
    """End to end with the environment's own settings: no surfaces, no slab, the default method."""
    params = {"source": {"path": str(folder), "anatomy": ANY}, "evaluation": {"resamples": 100}}
    params["training_3d"] = {"model": {"name": "resnet10", "width": 0.25}, "max_epochs": 40}
    run(project, env="nifti_folder", params=params)
    loaded = catalog(project, env="nifti_folder")
    maps = loaded.load("explainability.training_3d.maps")
    peaks = {subject: peak_voxel(maps[subject]().array) for subject in (f"v{i}" for i in range(17, 24, 2))}
    # The cube is 4 to 7 of 12, 14 and 16 voxels; the maps have 32 along each axis.
    low, high = (np.asarray([n * 32 / size for size in (12, 14, 16)]) for n in (4, 8))
    assert all((low - 1 <= peak).all() and (peak <= high).all() for peak in map(np.asarray, peaks.values()))


def test_without_the_switch_what_is_no_eye_is_refused(project: Path, folder: Path):
    with pytest.raises(DataError, match=r"v0\.nii\.gz: along x .*12 voxels of 2 mm.* say --params source\.anatomy=any"):
        run(project, env="nifti_folder", params={"source": {"path": str(folder)}}, pipeline_names=["data_processing"])


@pytest.mark.parametrize("name", ["source", "inference.source"])
def test_the_switch_reaches_the_sources_of_the_mission_and_of_an_inference(project: Path, folder: Path, name: str):
    for given, expected in (({}, "eye"), ({"anatomy": ANY}, ANY)):
        loaded = catalog(project, env="nifti_folder", params={"source": {"path": str(folder)} | given})
        assert loaded.load(name).anatomy == expected


def test_folds_are_drawn_without_a_split_and_a_file_carries_lists(project: Path, folder: Path):
    table = pd.read_csv(folder / "subjects.csv").drop(columns="split")
    table["label"] = [["healthy", "mild", "severe"][i % 3] for i in range(24)]
    table.to_csv(folder / "subjects.csv", index=False)
    (project / "my.yml").write_text(
        f"source: {{path: {folder}, anatomy: {ANY}}}\n"
        "cohort: {classes: [healthy, {name: ill, diseases: [mild, severe]}], exclude: [v0, v1]}\n"
    )
    run(project, env="nifti_folder", params={"parameters": str(project / "my.yml")}, pipeline_names=["data_processing"])
    loaded = catalog(project, env="nifti_folder")
    splits = loaded.load("splits")
    assert len(splits) == 22
    assert set(splits["label"]) == {"HEALTHY", "ill"}
    assert set(splits["fold"]) == {0, 1, 2, 3}
    assert loaded.load("processing_settings").grid == (32, 32, 32)


def test_a_misspelt_key_is_refused_with_the_file_it_stands_in(project: Path):
    (project / "my.yml").write_text("cohort: {clases: [A, B]}\n")
    with pytest.raises(
        ConfigError, match=r"my\.yml: parameter cohort\.clases: unknown parameter, did you mean classes"
    ):
        run(project, env="nifti_folder", params={"parameters": str(project / "my.yml")})
    (project / "my.yml").write_text("cohort: {exclude: [a]}\n")
    with pytest.raises(ConfigError, match=r"^parameter splits\.sed"):
        run(project, env="nifti_folder", params={"parameters": str(project / "my.yml"), "splits": {"sed": 1}})


def test_params_do_not_silently_replace_those_of_a_config_file(project: Path):
    (project / "cli.yml").write_text("run: {env: nifti_folder, params: {cohort: {exclude: [a]}}}\n")
    result = kedro(project, "run", "--config", "cli.yml", "--params", "source.path=nowhere")
    assert (
        "the params of the --config file would all be replaced by those of --params" in result.stderr.splitlines()[-1]
    )


def test_axes_that_run_backwards_are_turned_with_their_affine(folder: Path):
    plain = NiftiFolder(folder, anatomy=ANY).volume("v1", "x")
    affine = plain.affine.copy()
    affine[0, 0], affine[0, 3] = -affine[0, 0], affine[0, 3] + affine[0, 0] * 11
    write_nifti(folder / "v1.nii.gz", plain.array[::-1], affine)
    turned = NiftiFolder(folder, anatomy=ANY).volume("v1", "x")
    np.testing.assert_array_equal(turned.array, plain.array)
    np.testing.assert_allclose(turned.affine, plain.affine, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="label"), "needs the column label; it has subject, path, split"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "subject v0 occurs more than once"),
        (lambda t: t.assign(path="nowhere.nii"), "nowhere.nii does not exist"),
    ],
)
def test_bad_tables_are_named(folder: Path, change, words: str):
    path = folder / "subjects.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)
    source = NiftiFolder(folder, anatomy=ANY)
    with pytest.raises(DataError) as caught:
        source.labels() if "column" in words else source.check("v0", "OCTA")
    assert words in str(caught.value)
    assert "subjects.csv" in str(caught.value)


@pytest.mark.parametrize("env", ["local", "test", "octa500", "nifti_folder", "vendor", "trivial", "random"])
def test_every_environment_has_valid_parameters_and_a_whole_catalog(project: Path, env: str):
    from kedro.framework.project import pipelines

    loaded = catalog(project, env=env)  # creating the context checks every parameter
    whole = pipelines["__default__"]
    assert len(whole.nodes) > 10
    missing = {name for name in whole.datasets() if name not in loaded and not name.startswith("params:")}
    assert not {name for name in missing if loaded.get(name) is None}


def test_a_release_is_never_written_to(project: Path):
    with pytest.raises(ConfigError, match="read-only"):
        catalog(project, env="octa500").get("source").save.__wrapped__(
            catalog(project, env="octa500").get("source"), None
        )
