"""Looking into a file in another process: little memory, little time, no secrets."""

import json
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

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


@pytest.fixture
def nobody_waits():
    child._kept.dismiss()
    yield
    child._kept.dismiss()


def waiting():
    return child._kept._waiting.get("inspect")


def test_a_child_that_waits_tells_the_facts_and_looks_into_nothing_else(photo, nobody_waits):
    seen = []
    for _ in range(3):
        with child.ready("inspect") as inspector:
            seen.append(inspector._process.pid)
            assert inspector.run(str(photo), "jpeg")["width"] == 640
    assert len(set(seen)) == 3
    assert waiting().pid not in seen


def test_a_child_without_a_job_is_kept_for_the_next_file_and_one_is_enough(nobody_waits):
    with child.ready("inspect") as first, child.ready("inspect") as second:
        both = [first._process, second._process]
    assert waiting() is both[1]
    assert both[0].returncode is not None
    with child.ready("inspect") as third:
        assert third._process is both[1]


def test_a_child_that_died_while_it_waited_is_not_the_fault_of_a_file(photo, nobody_waits):
    with child.ready("inspect"):
        pass
    waiting().kill()
    waiting().wait()
    with child.ready("inspect") as inspector:
        assert inspector.run(str(photo), "jpeg")["width"] == 640


def test_the_limits_of_a_child_hold_for_one_that_waited(photo, tmp_path, nobody_waits):
    with child.ready("inspect") as inspector, pytest.raises(Refused) as refusal:
        inspector.run(str(photo), "jpeg", wall_seconds=0.0001)
    assert refusal.value.why is Why.TOO_SLOW
    with child.ready("inspect") as inspector, pytest.raises(Refused) as refusal:
        inspector.run(str(huge_picture(tmp_path / "huge")), "png", json.dumps({"pixels": 10**9}))
    assert refusal.value.why is Why.TOO_SLOW


def test_a_child_that_waits_ends_with_the_process_that_started_it():
    program = (
        "import os, subprocess; from tracker.storage import child; "
        "print(child.start('inspect', stdin=subprocess.PIPE).pid, flush=True); os.kill(os.getpid(), 9)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    waits = Path(f"/proc/{int(told.stdout)}")
    deadline = time.monotonic() + 20
    while waits.exists() and "Z" not in (waits / "stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_forked_process_leaves_the_children_of_its_parent_alone(nobody_waits):
    with child.ready("inspect"):
        pass
    pid = os.fork()
    if not pid:
        os._exit(0 if waiting() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert waiting().poll() is None
