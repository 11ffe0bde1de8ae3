"""Settings: decoded once, unknown keys refused, keys never shown."""

from pathlib import Path

import pytest

from calotype_provider.errors import ConfigError
from calotype_runtime.config import ModelSettings, load_settings, model_folders


def write(folder: Path, text: str) -> Path:
    path = folder / "calotype.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_hold() -> None:
    settings = load_settings(None, {})
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, False)


def test_a_file_is_read_and_what_was_given_lies_over_it(tmp_path: Path) -> None:
    path = write(
        tmp_path, 'port = 9000\ndemo = true\n[models."a/one"]\nfolder = "weights/one"\n[files]\nttl_seconds = 5'
    )
    settings = load_settings(path, {}, port=9001, host=None, models={"b/two": ModelSettings("/w/two")})
    assert (settings.port, settings.demo, settings.host) == (9001, True, "127.0.0.1")
    assert settings.files.ttl_seconds == 5
    folders = model_folders(settings)
    assert folders["a/one"] == tmp_path / "weights/one"
    assert folders["b/two"] == Path("/w/two")
    assert list(folders)[:3] == ["calotype/tintype", "calotype/tintype-kontext", "calotype/tintype-canny"]
    assert all((folders[model_id] / "model_index.json").is_file() for model_id in list(folders)[:3])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 9000", "prot"),
        ("port = 'x'", "port"),
        ("port = 70000", "port"),
        ("[files]\nttl = 3", "ttl"),
        ("[files]\nttl_seconds = 0", "ttl_seconds"),
        ("[files]\nsecret = 'short'", "secret"),
        ("[files]\nbucket = 'pictures'", "bucket"),
        ("[files]\nbucket = 's3://'", "bucket"),
        ("[files]\nbucket = 's3://a'\ndirectory = 'b'", "directory"),
        ("[files]\nbucket = 's3://a'\nttl_seconds = 604801", "ttl_seconds"),
        ("proxies = ['localhost']", "proxies"),
        ("proxies = ['10.0.0.1/8']", "proxies"),
        ("[queue]\nrunning_max = 0", "running_max"),
        ("body_bytes_max = -1", "body_bytes_max"),
        ("public_url = 'pictures.example'", "public_url"),
        ("public_url = 'https://pictures.example/'", "public_url"),
        ("cors_origins = ['*']", "cors_origins"),
        ("cors_origins = ['https://app.example/']", "cors_origins"),
        ("hosts = ['https://app.example']", "hosts"),
        ("stop_seconds_max = inf", "stop_seconds_max"),
        ("[files]\nttl_seconds = nan", "ttl_seconds"),
        ("[engine]\nthreads = -3", "threads"),
        ("[engine]\nrestarts_max = 0", "restarts_max"),
        ("[queue]\nwaiting_max = -1", "waiting_max"),
        ("[keys]\nann = ' key '", "ann"),
        ("[keys]\nann = ''", "ann"),
        ("[keys]\nann = 'key'\nbob = 'key'", "same key"),
        ("= 3", "calotype.toml"),
        ('host = "0.0.0.0"', "host"),
        ('host = "::"', "host"),
        ('host = "example.org"', "host"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_settings(write(tmp_path, text), {})


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calotype.toml"
    path.write_bytes(b"host = '\xff'")
    with pytest.raises(ConfigError, match=r"calotype\.toml"):
        load_settings(path, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_settings(tmp_path / "absent.toml", {})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "::1"])
def test_the_loopback_needs_no_keys(host: str) -> None:
    assert load_settings(None, {}, host=host).host == host


def test_with_a_key_the_server_may_listen_everywhere() -> None:
    settings = load_settings(None, {"CALOTYPE_API_KEYS": "ann=sesame, bob=open"}, host="0.0.0.0")
    assert settings.keys == {"ann": "sesame", "bob": "open"}


@pytest.mark.parametrize("text", ["sesame", "ann=", "=sesame", "ann=one,ann=two"])
def test_badly_written_keys_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"CALOTYPE_API_KEYS": text})
    assert "sesame" not in str(caught.value)


def test_keys_are_not_in_the_repr() -> None:
    settings = load_settings(None, {"CALOTYPE_API_KEYS": "ann=sesame"})
    assert "sesame" not in repr(settings)
    assert "ann" in repr(settings)


def test_secrets_are_not_in_the_repr_and_a_folder_of_pictures_is_beside_the_file(tmp_path: Path) -> None:
    secret = "sesame" * 6
    settings = load_settings(write(tmp_path, f'[files]\nsecret = "{secret}"\ndirectory = "kept"'), {})
    assert "sesame" not in repr(settings) + repr(settings.files)
    assert settings.files.directory == str(tmp_path / "kept")
