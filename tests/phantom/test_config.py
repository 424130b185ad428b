import pytest
from pydantic import ValidationError

from octa_kedro.phantom import PhantomConfig


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"anatomy": {"inner_um": -5.0}}, "inner_um"),
        ({"anatomy": {"thickness_um": (-1.0, 300.0)}}, "thickness_um"),
        ({"anatomy": {"thickness_um": (300.0, 250.0)}}, "thickness_um"),
        ({"anatomy": {"faz_area_mm2": (0.2, 9.0)}}, "faz_area_mm2"),
        ({"anatomy": {"ilm_depth_mm": (0.5, 1.9)}}, "ilm_depth_mm"),
        ({"lesions": {"cnv_height_um": (60.0, 500.0)}}, "cnv_height_um"),
        ({"lesions": {"cnv_offset_mm": (0.0, 2.0)}}, "cnv_offset_mm"),
        ({"lesions": {"rpe_elevation_um": (8.0, 70.0)}}, "rpe_elevation_um"),
        ({"signal": {"gain": (0.0, 30.0)}}, "gain"),
        ({"subjects": {"NORMAL": 0}}, "subjects"),
        ({"subjects": {}}, "subjects"),
        ({"subjects": {"GLAUCOMA": 3}}, "subjects"),
        ({"subjects": {"NORMAL": 900}}, "subjects"),
        ({"share_6mm": 1.2}, "share_6mm"),
        ({"shapes": {"3mm": (8, 8, 256), "6mm": (100, 100, 256)}}, "shapes"),
        ({"shapes": {"3mm": (76, 76, 256)}}, "shapes"),
        ({"shapes": {}}, "shapes"),
        ({"sede": 3}, "sede"),
    ],
)
def test_bad_config_is_refused_by_the_parameters_name(changes: dict[str, object], name: str):
    with pytest.raises(ValidationError, match=name):
        PhantomConfig.model_validate(changes)


def test_one_field_of_view_needs_only_its_own_shape():
    config = PhantomConfig(shapes={"3mm": (48, 48, 128)}, share_6mm=0)
    assert config.shapes == {"3mm": (48, 48, 128)}


def test_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        PhantomConfig().seed = 3  # type: ignore[misc]
