"""The sample files of the demonstration city."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.cabinet import EVERY_KIND
from tracker.domain.media import KINDS, Limits
from tracker.storage import samples
from tracker.storage.inspect import facts_of

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib, sys, types
sys.modules["tracker"] = package = types.ModuleType("tracker")
package.__path__ = ["tracker"]
from tests.storage.cabinet import EVERY_KIND
print(hashlib.sha256(b"".join(make() for make in EVERY_KIND.values())).hexdigest())
"""


def test_there_is_a_sample_of_every_accepted_kind():
    assert set(EVERY_KIND) == set(KINDS)


@pytest.mark.parametrize("code", list(KINDS))
def test_a_sample_is_a_sound_file_of_its_kind(code, tmp_path):
    path = tmp_path / "sample"
    path.write_bytes(EVERY_KIND[code]())
    assert facts_of(path, KINDS[code], Limits()) is not None


@pytest.mark.parametrize("code", list(KINDS))
def test_a_sample_has_the_same_bytes_every_time(code):
    assert EVERY_KIND[code]() == EVERY_KIND[code]()


def test_another_process_makes_the_same_bytes():
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, check=True, text=True)
    assert run.stdout.strip() == hashlib.sha256(b"".join(make() for make in EVERY_KIND.values())).hexdigest()


def test_another_seed_makes_another_photo():
    assert samples.sample_jpeg(1) != samples.sample_jpeg(2)


def test_a_caption_is_drawn_on_the_photo():
    assert samples.sample_jpeg(1, caption="示例照片") != samples.sample_jpeg(1)
