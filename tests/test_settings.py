import pytest

from phipd_sim2real.errors import UsageError
from phipd_sim2real.settings import Settings, load_settings, settings_hash


class Optics(Settings):
    width: int = 240
    fov_degrees: float = 90.0


class Camera(Settings):
    name: str = "front"
    optics: Optics = Optics()


def test_overrides_apply_in_order_over_the_file(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text("name: rear\noptics: {width: 320}\n")
    camera = load_settings(Camera, path, ["optics.width=640", "optics.fov_degrees=70", "optics.width=960"])
    assert camera == Camera(name="rear", optics=Optics(width=960, fov_degrees=70.0))


def test_unknown_key_names_the_allowed_ones(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text("optics: {widht: 320}\n")
    with pytest.raises(UsageError, match=r"unknown key 'optics.widht' \(allowed here: fov_degrees, width\)"):
        load_settings(Camera, path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- 1\n", "a config is a mapping"),
        ("a: [1\n", "not valid YAML"),
        ("optics: {width: wide}\n", "optics.width"),
    ],
)
def test_broken_files_are_refused_in_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        load_settings(Camera, path)


@pytest.mark.parametrize(
    ("override", "sentence"), [("width", "section.key=value"), ("name.x=1", "a value, not a section")]
)
def test_broken_overrides_are_refused(tmp_path, override, sentence):
    path = tmp_path / "camera.yaml"
    path.write_text("name: rear\n")
    with pytest.raises(UsageError, match=sentence):
        load_settings(Camera, path, [override])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="no config file"):
        load_settings(Camera, tmp_path / "absent.yaml")


def test_hash_follows_values_not_spelling(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text("optics: {fov_degrees: 90, width: 240}\n")
    assert settings_hash(load_settings(Camera, path)) == settings_hash(Camera())
    assert settings_hash(Camera(name="rear")) != settings_hash(Camera())
