"""Settings: what the environment says, where secrets come from, and what a proxy may say about a visitor."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from flask import request
from redis import Redis

from tests.engines.servers import PATIENCE, running
from tests.web.conftest import sign_in_by_form
from tracker.app import create_app
from tracker.config import CHECKOUT, SettingsError, load_settings
from tracker.db import db
from tracker.models import Base

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


WRONG = {
    "TRACKER_SECRET_KEY": "",
    "TRACKER_DATABASE_URL": "postgresql+psycopg://tracker:h@rd-to:guess@127.0.0.1/tracker",
    "TRACKER_QUEUE_URL": "redis://:hard@127.0.0.1:to-guess/0",
    "TRACKER_STORE_URL": "s3://evidence/?endpoint=http://key:hard-to-guess@127.0.0.1",
}
MORE = [
    ("TRACKER_DATABASE_URL", "postgresql+psycopg2://tracker:hard-to-guess@127.0.0.1/tracker"),
    ("TRACKER_DATABASE_URL", "mysql://tracker:hard-to-guess@127.0.0.1/tracker"),
    ("TRACKER_QUEUE_URL", "postgresql://tracker:hard@127.0.0.1:to-guess/tracker"),
    ("TRACKER_QUEUE_URL", "redis://:hard-to-guess@127.0.0.1/first"),
    ("TRACKER_QUEUE_URL", "amqp://tracker:hard-to-guess@127.0.0.1"),
    ("TRACKER_STORE_URL", "s3://key:hard-to-guess@evidence/"),
    ("TRACKER_STORE_URL", "s3://evidence/?endpoint=http://127.0.0.1:to-guess"),
]


def told(folder: Path) -> list[str]:
    """The lines of what is wrong with the settings of the environment; none repeats what a password may be part of."""
    with pytest.raises(SettingsError) as caught:
        load_settings(data_dir=folder)
    lines = str(caught.value).splitlines()
    assert not re.search("hard|rd-to|guess@", str(caught.value))
    assert caught.value.__context__ is None  # a traceback would print what it was made of
    return lines


def test_addresses_that_cannot_be_read_are_named_together_without_their_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRACKER_METRICS_TOKEN_FILE", str(tmp_path / "none"))
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)
    assert {line.partition(":")[0] for line in told(tmp_path)} == {*WRONG, "TRACKER_METRICS_TOKEN_FILE"}


def test_what_a_bucket_lacks_is_said_together_with_all_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRACKER_STORE_URL", "s3://evidence/")
    monkeypatch.setenv("TRACKER_PORT", "99999")
    assert [line.partition(":")[0] for line in told(tmp_path)] == [
        "TRACKER_STORE_KEY_ID",
        "TRACKER_STORE_SECRET",
        "TRACKER_PORT",
    ]
    monkeypatch.setenv("TRACKER_STORE_KEY_ID", "tracker")
    assert [line.partition(":")[0] for line in told(tmp_path)] == ["TRACKER_STORE_SECRET", "TRACKER_PORT"]
    (tmp_path / "secret").write_text("hard-to-guess")
    monkeypatch.setenv("TRACKER_STORE_SECRET_FILE", str(tmp_path / "secret"))
    assert [line.partition(":")[0] for line in told(tmp_path)] == ["TRACKER_PORT"]


@pytest.mark.parametrize(("name", "value"), MORE)
def test_an_address_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(name, value)
    (line,) = told(tmp_path)
    assert line.startswith(name)


@pytest.mark.parametrize("url", ["redis://127.0.0.1", "rediss://:a%40b@127.0.0.1:6379/0", "unix:///run/redis.sock"])
def test_an_address_of_redis_is_taken_in_each_of_its_forms(tmp_path: Path, url: str):
    assert load_settings(data_dir=tmp_path, queue_url=url).queue_is_redis


@pytest.mark.parametrize("password", ["", ":open-sesame@"])
def test_the_queue_and_the_limits_of_attempts_are_kept_in_a_redis_behind_a_socket(tmp_path: Path, password: str):
    with TemporaryDirectory(prefix="tracker-redis-") as short:
        secret = ["--requirepass", password.strip(":@")] if password else []
        program = ["redis-server", "--port", "0", "--unixsocket", f"{short}/s", "--save", "", "--dir", short, *secret]
        url = f"unix://{password}{short}/s?db=1"
        with running(program, "", tmp_path / "log"), Redis.from_url(url) as redis:
            end = time.monotonic() + PATIENCE
            while not Path(short, "s").exists():
                assert time.monotonic() < end, (tmp_path / "log").read_text()
                time.sleep(0.05)
            app = create_app(load_settings(data_dir=tmp_path / "data", queue_url=url))
            with app.app_context():
                Base.metadata.create_all(db.engine)
            assert app.extensions["tracker_queue"].fault() == ""
            assert sign_in_by_form(app.test_client(), "nobody", "wrong").status_code == 200
            assert any(b"tracker" in key and b"login" in key for key in redis.scan_iter())
            with app.app_context():
                db.engine.dispose()


def test_folders_that_cannot_be_made_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    inside = tmp_path / "file" / "data"
    with pytest.raises(SettingsError, match=r"^TRACKER_DATA_DIR: .*file/data/keys cannot be used: Not a directory$"):
        load_settings(data_dir=inside)
    with pytest.raises(SettingsError, match=r"^TRACKER_DATA_DIR: .*file/data cannot be made: Not a directory$"):
        create_app(load_settings(data_dir=inside, secret_key="key", password_salt="salt"))
    database, store = f"sqlite:///{inside}/tracker.sqlite3", f"file://{inside}"
    with pytest.raises(SettingsError) as caught:
        create_app(load_settings(data_dir=tmp_path / "data", database_url=database, store_url=store))
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "TRACKER_DATABASE_URL",
        "TRACKER_STORE_URL",
    ]


def test_what_arrives_goes_to_the_folder_of_tmpdir_which_is_made_at_the_start(tmp_path: Path):
    folder = tmp_path / "data" / "tmp"
    given = {**os.environ, "TRACKER_DATA_DIR": str(tmp_path / "data"), "TMPDIR": str(folder)}
    program = [sys.executable, "-c", "import tempfile, wsgi; print(tempfile.gettempdir())"]
    done = subprocess.run(program, cwd=CHECKOUT, env=given, check=True, capture_output=True, text=True)
    assert done.stdout == f"{folder}\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    done = subprocess.run(
        program, cwd=CHECKOUT, env={**given, "TMPDIR": f"{tmp_path}/file"}, check=False, capture_output=True, text=True
    )
    assert done.stderr == f"tracker: TMPDIR: {tmp_path}/file cannot be made: File exists\n"


def test_a_web_server_that_cannot_start_says_why_and_nothing_else(tmp_path: Path):
    wrong = {**os.environ, "TRACKER_DATA_DIR": str(tmp_path), "TRACKER_DATABASE_URL": f"sqlite:///{tmp_path}/none/a"}
    program = [sys.executable, "-c", "import wsgi"]
    done = subprocess.run(program, cwd=CHECKOUT, env=wrong, check=False, capture_output=True, text=True)
    said = f"tracker: TRACKER_DATABASE_URL: there is no folder {tmp_path}/none; make it\n"
    assert (done.returncode, done.stderr) == (1, said)


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
