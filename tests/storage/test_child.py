"""Looking into a file in another process: little memory, little time, no secrets."""

import json
import struct
import subprocess
import sys
import zlib

import pytest

from tests.storage.cabinet import EVERY_KIND
from tracker.storage import child
from tracker.storage.refusal import SENTENCES, Refused, Why, as_rule_error


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(EVERY_KIND["jpeg"]())
    return path


def huge_picture(path):
    """A picture whose pixels would fill two gigabytes."""
    head = struct.pack(">LLBBBBB", 26_000, 26_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b""))
    parts = [struct.pack(">L", len(c)) + n + c + struct.pack(">L", zlib.crc32(n + c)) for n, c in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_a_child_tells_the_facts(photo):
    assert child.run("inspect", str(photo), "jpeg")["width"] == 640


def test_a_child_that_takes_too_long_is_ended(photo):
    with pytest.raises(Refused) as refusal:
        child.run("inspect", str(photo), "jpeg", wall_seconds=0.01)
    assert refusal.value.why is Why.TOO_SLOW


def test_a_child_that_wants_too_much_memory_gives_up(tmp_path):
    with pytest.raises(Refused) as refusal:
        child.run("inspect", str(huge_picture(tmp_path / "huge")), "png", json.dumps({"pixels": 10**9}))
    assert refusal.value.why is Why.TOO_SLOW


def test_a_child_that_crashes_says_that_the_file_is_damaged(photo, capfd):
    with pytest.raises(Refused) as refusal:
        child.run("inspect", str(photo), "no such kind")
    assert refusal.value.why is Why.DAMAGED
    assert "KeyError" in capfd.readouterr().err


def test_a_failing_disk_is_not_blamed_on_the_file(tmp_path, capfd):
    with pytest.raises(OSError, match="disk"):
        child.run("inspect", str(tmp_path / "nowhere"), "jpeg")
    assert "nowhere" in capfd.readouterr().err


def test_a_child_sees_no_secrets(monkeypatch):
    monkeypatch.setenv("TRACKER_SECRET_KEY", "long and secret")
    assert not [name for name in child.environment() if name.startswith("TRACKER")]


def test_the_module_runs_by_hand(photo):
    run = subprocess.run(
        [sys.executable, "-m", "tracker.storage.inspect", str(photo), "jpeg"], capture_output=True, check=True
    )
    assert json.loads(run.stdout)["facts"]["location_removed"] is True


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_has_a_sentence_that_names_the_file_and_says_what_to_do(why):
    values = {"width": 1, "height": 2, "most": 3, "pages": 4}
    sentence = str(as_rule_error(why, name="记录.pdf", label="PDF 文档", values=values))
    assert "《记录.pdf》" in sentence
    assert "请" in sentence or "不能上传" in sentence
    assert set(SENTENCES) == set(Why)
