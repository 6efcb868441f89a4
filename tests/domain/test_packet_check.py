"""A packet that is whole passes, and so says the checker as one file; of changed bytes each is found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace

import pikepdf
import pytest

from tests.packets import (
    RECIPE,
    Recipe,
    check,
    failed,
    faults,
    make_packet,
    redraw,
    resealed,
    tampered,
)
from tracker.domain.packet_check.bundle import MODULES, verifier_source
from tracker.domain.packet_check.check import check_packet, main
from tracker.domain.packet_check.result import AUTHENTICITY, FAILED, NOT_CHECKED, Check, say


@pytest.fixture(scope="module")
def packet(tmp_path_factory):
    return make_packet(tmp_path_factory.mktemp("packet"))[0]


# ---------------------------------------------------------------- a packet that is whole


@pytest.mark.parametrize("object_streams", [True, False])
def test_a_whole_packet_passes_and_says_that_it_is_not_signed(tmp_path, object_streams):
    result = check_packet(make_packet(tmp_path, Recipe(object_streams=object_streams)))

    assert failed(*tmp_path.glob("packet-*.pdf")) == set()
    assert result.packet == "DC-2026-0001"
    assert str(result.headline).startswith("核验通过：督查卷 DC-2026-0001")
    assert "不能防伪造" in str(result.headline)
    unsigned = next(found for found in result.checks() if found.key == "signature")
    assert unsigned.outcome == NOT_CHECKED
    assert [str(group.title) for group in result.groups] == ["真实性", "完整性", "可用性", "安全性"]


def test_two_volumes_pass_together(tmp_path):
    assert failed(*make_packet(tmp_path, Recipe(volumes=2))) == set()


def test_a_volume_alone_does_not_pass_and_names_the_one_that_was_not_given(tmp_path, capsys):
    first, second = make_packet(tmp_path, Recipe(volumes=2))

    assert failed(first) == failed(second) == set()
    assert check("volumes", first).outcome == NOT_CHECKED
    told = "只核验了 2 册中的 1 册，其余各册没有提供。"
    assert [str(note) for note in check("volumes", first).notes] == [told, "没有提供第 2 册，其中的页和文件没有核验。"]
    result = check_packet([first])
    assert (str(result.headline), result.outcome, result.passed, result.faults) == (told, "incomplete", False, 0)
    assert main([str(first)]) == 1
    assert capsys.readouterr().out.startswith(told)


def test_volumes_are_shown_in_their_order_however_they_are_named(tmp_path):
    paths = make_packet(tmp_path, Recipe(volumes=3))

    said = [str(note)[:5] for note in check("archive", *reversed(paths)).notes]
    assert said == ["第 1 册", "第 2 册", "第 3 册", "是否真正符"]


def test_pages_are_counted_through_all_volumes(tmp_path):
    first, second = make_packet(tmp_path, Recipe(volumes=2))
    other = tampered(second, lambda pdf: redraw(pdf, 0))

    assert faults("pages", first, other) == ["第 4 页被改动：内容与清单所列的校验值不符。"]


def test_volumes_of_two_packets_do_not_pass_as_one(tmp_path):
    first, _ = make_packet(tmp_path, Recipe(volumes=2))
    (tmp_path / "other").mkdir()
    _, second = make_packet(tmp_path / "other", replace(RECIPE, volumes=2, drawn=[b"0 0 m"] * 6))

    assert {"volumes", "pages"} <= failed(first, second)
    assert faults("volumes", first, second) == ["第 2 册的清单与第 1 册的不同：它们不是同一次成卷的。"]


def test_a_volume_given_twice_is_named(packet):
    assert faults("volumes", packet, packet) == ["第 1 册给了不止一次。"]


def test_what_a_result_says_can_be_put_into_another_language(packet):
    lines = list(check_packet([packet]).lines(lambda text: "verified" if text.startswith("核验") else text))

    assert lines[0] == "verified"


def test_another_program_can_put_its_check_in_the_place_of_one(packet):
    result = check_packet([packet])
    more = result.with_check(AUTHENTICITY, Check("validity", say("签名"), FAILED, (say("签名无效"),)))

    assert len(list(more.checks())) == len(list(result.checks()))
    assert result.passed
    assert not more.passed


# ---------------------------------------------------------------- the checker as one file


def test_the_single_file_says_the_same_without_any_package(packet, tmp_path):
    script = tmp_path / "verify_packet.py"
    script.write_bytes(verifier_source())
    run = subprocess.run([sys.executable, "-I", "-S", script, "--json", packet], capture_output=True, check=False)

    assert (run.returncode, run.stderr) == (0, b"")
    assert json.loads(run.stdout) == json.loads(json.dumps(check_packet([packet]).as_json()))


def test_the_single_file_is_the_same_each_time_and_names_nothing_twice():
    names = [
        line.split("(")[0].split(":")[0].split("=")[0].strip()
        for line in verifier_source().decode().splitlines()
        if line.startswith(("def ", "class ", "_")) or (line[:1].isalpha() and " = " in line)
    ]

    assert verifier_source() == verifier_source()
    assert b"tracker.domain" not in verifier_source()
    assert sorted(names) == sorted(set(names))
    assert len(MODULES) == len(set(MODULES))


def test_the_command_says_by_its_exit_code_what_it_found(packet, tmp_path, capsys):
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(packet.read_bytes()[:-9])

    assert main([str(packet)]) == 0
    assert "[通过] 页面：页数、次序和每一页的内容与清单一致" in capsys.readouterr().out
    assert main([str(broken)]) == 1
    assert capsys.readouterr().out.startswith("核验不通过：发现 1 处问题。\n")
    assert main([str(tmp_path / "none.pdf")]) == 2
    with pytest.raises(SystemExit, match="2"):
        main([])


# ---------------------------------------------------------------- bytes


def flipped(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


def shortened(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.randint(1, 40) :]


def lengthened(data, rng):
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randint(1, 40)) + data[place:]


def swapped(data, rng):
    one, other = sorted(rng.sample(range(0, len(data) - 16, 16), 2))
    return data[:one] + data[other : other + 16] + data[one + 16 : other] + data[one : one + 16] + data[other + 16 :]


def test_three_hundred_random_changes_of_bytes_are_each_found(tmp_path):
    whole, rng = make_packet(tmp_path)[0].read_bytes(), random.Random(3)
    path = tmp_path / "changed.pdf"
    for number in range(300):
        data = (flipped, shortened, lengthened, swapped)[number % 4](whole, rng)
        path.write_bytes(data)
        assert data == whole or not check_packet([path]).passed, number


@pytest.mark.parametrize("object_streams", [True, False])
def test_random_changes_under_a_new_digest_of_the_file_break_nothing(tmp_path, object_streams):
    whole, rng = make_packet(tmp_path, Recipe(object_streams=object_streams))[0].read_bytes(), random.Random(4)
    path = tmp_path / "changed.pdf"
    for number in range(100):
        path.write_bytes(resealed((flipped, shortened, lengthened, swapped)[number % 4](whole, rng)))
        result = check_packet([path])
        assert result.as_json()["faults"] == result.faults


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"no pdf", b"%PDF-1.7\nstartxref\n9\n%%EOF\n"])
def test_what_is_no_pdf_is_named_as_such(tmp_path, data):
    path = tmp_path / "none.pdf"
    path.write_bytes(data)

    assert failed(path) == {"structure"}


def test_a_pdf_that_is_no_packet_is_named_as_such(tmp_path):
    path, pdf = tmp_path / "plain.pdf", pikepdf.new()
    pdf.add_blank_page()
    pdf.save(path)

    assert failed(path) == {"structure"}
    assert faults("structure", path) == ["文件 plain.pdf 不是督查卷，或者已经严重损坏。"]
