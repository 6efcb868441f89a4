"""Settings: what the environment says, where secrets come from, and what a proxy may say about a visitor."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from flask import request

from tracker.app import create_app
from tracker.config import SettingsError, load_settings

BEHIND_A_PROXY = {
    "HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "REMOTE_ADDR": "127.0.0.1",
}


def test_secrets_are_made_once_and_only_their_owner_may_look_into_the_data_folder(tmp_path: Path):
    folder = tmp_path / "somewhere" / "new"
    first, second = load_settings(data_dir=folder), load_settings(data_dir=folder)
    assert first.secret_key == second.secret_key
    assert first.secret_key != first.password_salt
    for path in (folder, folder / "keys"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "keys" / "secret_key").stat().st_mode) == 0o600


def test_a_secret_comes_from_the_file_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "key").write_text("a secret of the installation\n")
    monkeypatch.setenv("TRACKER_SECRET_KEY_FILE", str(tmp_path / "key"))
    settings = load_settings(data_dir=tmp_path / "data")
    assert settings.secret_key.get_secret_value() == "a secret of the installation"


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRACKER_PORT", "99999")
    monkeypatch.setenv("TRACKER_HTTPS", "perhaps")
    with pytest.raises(SettingsError) as caught:
        load_settings(data_dir=tmp_path)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["TRACKER_PORT", "TRACKER_HTTPS"]


@pytest.mark.parametrize(
    ("proxies", "address", "scheme"),
    [(0, "127.0.0.1", "http"), (1, "198.51.100.7", "https"), (2, "203.0.113.9", "http")],
)
def test_only_as_many_proxies_are_believed_as_there_are(tmp_path: Path, proxies: int, address: str, scheme: str):
    app = create_app(load_settings(data_dir=tmp_path, trusted_proxies=proxies))
    seen = []
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: seen.append((request.remote_addr, request.scheme)))
    app.test_client().get("/auth/login", environ_overrides=BEHIND_A_PROXY)
    assert seen == [(address, scheme)]
