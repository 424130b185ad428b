from importlib.metadata import PackageNotFoundError

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.viewer import niivue
from octa_kedro.viewer.config import ViewerConfig
from octa_kedro.viewer.widget import show_eye
from tests.viewer.eyes import small_eye

MODULE = (
    'class t2{};var w={go(){console.log("Creating new Niivue instance");let B={};v=new t2(B)}};export{w as default};'
)


def test_a_module_becomes_a_script_that_keeps_the_class(monkeypatch):
    monkeypatch.setattr(niivue, "version", lambda name: "2.4.4")
    script = niivue.as_classic_script(MODULE, "BSD */ alert(1)")
    assert "globalThis.Niivue = t2;" in script
    assert "export" not in script
    assert script.index("*/") == script.index("\n*/\n") + 1


@pytest.mark.parametrize("module", ["export{w as default}", MODULE.removesuffix("export{w as default};")])
def test_a_bundle_of_another_make_is_refused(module, monkeypatch):
    monkeypatch.setattr(niivue, "version", lambda name: "9.0")
    with pytest.raises(ConfigError, match=r"ipyniivue 9\.0.*requirements\.lock"):
        niivue.as_classic_script(module, "")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(niivue, "distribution", missing)
    with pytest.raises(ConfigError, match="needs the package ipyniivue; install it"):
        niivue.niivue_script()


def test_without_the_extra_the_widget_says_so_too(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipyniivue", None)
    with pytest.raises(ConfigError, match="needs the package ipyniivue; install it"):
        show_eye(small_eye())


def test_the_widget_shows_image_map_and_lesion():
    image, heat, lesion = show_eye(small_eye(), ViewerConfig(threshold=0.5)).volumes
    assert [volume.name for volume in (image, heat, lesion)] == ["octa.nii.gz", "heat.nii.gz", "lesion.nii.gz"]
    assert (heat.cal_min, heat.cal_max) == pytest.approx((0.01, 0.02))


def test_an_image_that_the_eye_lacks_is_refused():
    with pytest.raises(ConfigError, match="'oct': eye 10001 has octa"):
        show_eye(small_eye(), image="oct")
