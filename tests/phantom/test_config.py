import pytest
from pydantic import ValidationError

from octa_kedro.phantom.config import PhantomConfig


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"anatomy": {"inner_um": -5.0}}, "inner_um"),
        ({"anatomy": {"rpe_um": 0.0}}, "rpe_um"),
        ({"anatomy": {"thickness_um": (-1.0, 300.0)}}, "thickness_um"),
        ({"anatomy": {"thickness_um": (300.0, 250.0)}}, "thickness_um"),
        ({"anatomy": {"faz_area_mm2": (0.2, 9.0)}}, "faz_area_mm2"),
        ({"anatomy": {"ilm_depth_mm": (0.5, 1.9)}}, "ilm_depth_mm"),
        ({"lesions": {"cnv": {"height_um": (60.0, 500.0)}}}, r"lesions\.cnv\.height_um"),
        ({"signal": {"gain": (0.0, 30.0)}}, "gain"),
        ({"vessels": {"arcade_gap_mm": (0.4, 3.0)}}, "arcade_gap_mm"),
        ({"vessels": {"spacing_um": (2.0, 40.0)}}, "spacing_um"),
        ({"subjects": {}}, "subjects"),
        ({"subjects": {"NORMAL": None}}, "subjects"),
        ({"subjects": {"GLAUCOMA": 3}}, "subjects"),
        ({"subjects": {"NORMAL": 0}}, r"subjects\.NORMAL"),
        ({"subjects": {"NORMAL": 4, "DR": -1}}, r"subjects\.DR"),
        ({"subjects": {"NORMAL": {"3mm": 0, "6mm": 0}}}, r"subjects\.NORMAL"),
        ({"subjects": {"NORMAL": {"3mm": 4, "6mm": -2}}}, r"subjects\.NORMAL"),
        ({"subjects": {"NORMAL": {}}}, r"subjects\.NORMAL"),
        ({"subjects": {"NORMAL": {"9mm": 4}}}, r"subjects\.NORMAL"),
        ({"subjects": {"NORMAL": 401}}, "subjects: .* 3mm.* IDs from 10301 to 10500"),
        ({"subjects": {"NORMAL": 301}, "share_6mm": 1}, "subjects: .* 6mm.* IDs from 10001 to 10300"),
        ({"subjects": {"NORMAL": {"3mm": 201}}}, "subjects: 201 eyes of 3mm"),
        ({"share_6mm": 1.2}, "share_6mm"),
        ({"female_share": -0.1}, "female_share"),
        ({"fov_tie": 1.5}, "fov_tie"),
        ({"fov_tie": 0.5, "subjects": {"NORMAL": {"3mm": 4}}}, r"fov_tie.*subjects\.NORMAL"),
        ({"shapes": {"3mm": (8, 8, 256), "6mm": (100, 100, 256)}}, "shapes"),
        ({"shapes": {"3mm": (76, 76, 256)}}, "shapes: 6mm"),
        ({"shapes": {"3mm": (76, 76, 256)}, "share_6mm": 0, "fov_tie": 1}, "shapes: 6mm"),
        ({"shapes": {"3mm": (76, 76, 256)}, "subjects": {"DR": {"6mm": 1}}}, "shapes: 6mm"),
        ({"shapes": {"6mm": (76, 76, 256)}}, "shapes: 3mm"),
        ({"shapes": {}}, "shapes"),
        ({"severity": (-0.1, 0.5)}, "severity"),
        ({"severity": (0.1, 1.5)}, "severity"),
        ({"severity": (0.8, 0.2)}, "severity"),
        ({"ages": (80, 20)}, "ages"),
        ({"ages": (20, 200)}, "ages"),
        ({"ages": {"NORMAL": (20, 40)}}, "ages: no range for DR"),
        ({"poor_share": 2}, "poor_share"),
        ({"poor_share": 0.1, "poor_kinds": []}, "poor_kinds"),
        ({"poor_kinds": ["blur"]}, "poor_kinds"),
        ({"labels": "shuffled"}, "labels"),
        ({"labels": "random", "subjects": {"DR": 4}}, "labels"),
        ({"workers": 0}, "workers"),
        ({"sede": 3}, "sede"),
    ],
)
def test_bad_config_is_refused_by_the_parameters_name(changes: dict[str, object], name: str):
    with pytest.raises(ValidationError, match=name):
        PhantomConfig.model_validate(changes)


def test_one_field_of_view_needs_only_its_own_shape():
    config = PhantomConfig(shapes={"3mm": (48, 48, 128)}, share_6mm=0)
    assert config.shapes == {"3mm": (48, 48, 128)}


def test_null_leaves_a_disease_of_the_base_environment_out():
    config = PhantomConfig.model_validate({"subjects": {"NORMAL": 2, "DR": 3, "CNV": None}})
    assert config.subjects == {"NORMAL": 2, "DR": 3}


def test_a_config_survives_its_text():
    config = PhantomConfig.model_validate(
        {"subjects": {"NORMAL": {"3mm": 4}, "DR": 3}, "ages": {"NORMAL": (20, 40), "DR": (30, 50)}, "poor_share": 0.1}
    )
    assert PhantomConfig.model_validate_json(config.model_dump_json()) == config


def test_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        PhantomConfig().seed = 3  # type: ignore[misc]
