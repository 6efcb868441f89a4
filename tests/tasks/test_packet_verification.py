"""What is handed in to be verified: volumes together, a ZIP within bounds, and signatures for what they are worth."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.authorities import PASSPHRASE, Authority
from tests.packets import NUMBER, Recipe, make_packet, redraw, tampered
from tracker.domain.errors import Invalid
from tracker.domain.packet_check.result import FAILED, INCOMPLETE, NOT_CHECKED, PASSED, Check
from tracker.reporting.signature import Signer, load_signer, sign
from tracker.tasks import packet_verification
from tracker.tasks.packet_uploads import by_packet, name_on_disk, unpacked
from tracker.tasks.packet_verification import VALIDITY, Verification, Verified, verify, verify_in_process

NOW = datetime.now(UTC).replace(microsecond=0)
OTHER = "DC-2026-0002"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packets")


@pytest.fixture(scope="module")
def volumes(folder: Path) -> list[Path]:
    """A packet of two volumes."""
    (folder / "two").mkdir()
    return make_packet(folder / "two", Recipe(volumes=2))


@pytest.fixture(scope="module")
def alone(folder: Path) -> Path:
    """A packet of one volume."""
    (folder / "alone").mkdir()
    return make_packet(folder / "alone")[0]


@pytest.fixture(scope="module")
def other(folder: Path) -> Path:
    """A packet of one volume that names itself otherwise."""

    def rename(pdf: pikepdf.Pdf) -> None:
        pdf.trailer["/TrkPacket"] = pikepdf.String(OTHER)

    (folder / "one").mkdir()
    recipe = Recipe(change=lambda members: members["packet"].update(number=OTHER))
    return tampered(make_packet(folder / "one", recipe)[0], rename)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(NOW)


@pytest.fixture(scope="module")
def organ(authority: Authority, folder: Path) -> Signer:
    return load_signer(authority.organ(folder / "organ.p12"), PASSPHRASE, now=NOW)


@pytest.fixture(scope="module")
def roots(authority: Authority, folder: Path) -> Path:
    return pem_of(authority, folder / "roots.pem")


@pytest.fixture(scope="module")
def signed(organ: Signer, alone: Path) -> Path:
    return signed_by(organ, alone, alone.with_name("signed.pdf"))


def pem_of(authority: Authority, path: Path) -> Path:
    path.write_bytes(authority.root.public_bytes(Encoding.PEM))
    return path


def signed_by(signer: Signer, source: Path, target: Path) -> Path:
    sign(source, target, signer=signer, reason="督查卷", organization="清河市", timestamp_url=None, now=NOW)
    return target


def of(result: Verification, key: str = VALIDITY) -> Check:
    return next(check for check in result.checks() if check.key == key)


def said(check: Check) -> str:
    return "\n".join(map(str, (*check.faults, *check.notes)))


@pytest.fixture
def hand_in(tmp_path: Path) -> Callable[..., Verified]:
    """Let a child verify copies of the files, as a page does."""

    def hand_in(*files: Path, trusted: Path | None = None, language: str = "zh") -> Verified:
        uploads = []
        for number, file in enumerate(files):
            (tmp_path / str(number)).mkdir()
            uploads.append(Path(shutil.copy(file, tmp_path / str(number))))
        (tmp_path / "found").mkdir()
        return verify_in_process(uploads, folder=tmp_path / "found", trusted=trusted, language=language)

    return hand_in


def zipped(path: Path, *files: Path, **how: Any) -> Path:
    with zipfile.ZipFile(path, "w", **how) as bundle:
        for file in files:
            bundle.write(file, file.name)
    return path


# ---------------------------------------------------------------- volumes and packets


def test_files_are_grouped_by_the_packet_that_they_name(volumes, other, tmp_path):
    (tmp_path / "odd.pdf").write_bytes(b"%PDF-1.7\nnothing")
    odd = tmp_path / "odd.pdf"

    assert by_packet([volumes[1], odd, other, volumes[0]]) == [[volumes[1], volumes[0]], [odd], [other]]


def test_a_second_copy_of_a_volume_is_not_mixed_with_the_first(volumes, folder):
    other = {"E1-1.jpg": b"another photo", "E2-1.pdf": b"a scan"}
    (folder / "again").mkdir(exist_ok=True)
    again = make_packet(folder / "again", Recipe(volumes=2, files=other))  # of the same number
    changed = tampered(volumes[1], lambda pdf: redraw(pdf, 1))

    assert by_packet([volumes[0], again[0], again[1], volumes[1]]) == [volumes, again]
    assert by_packet([*volumes, changed]) == [volumes, [changed]]
    assert by_packet([volumes[0], again[1]]) == [[volumes[0], again[1]]]  # which the check then finds


def test_all_volumes_are_verified_together_and_another_packet_for_itself(volumes, other, hand_in):
    answer = hand_in(volumes[1], other, volumes[0], other)

    assert answer.refusals == []
    assert [each["packet"] for each in answer.results] == [NUMBER, OTHER]
    assert answer.results[0]["outcome"] == PASSED
    assert [[file["name"] for file in each["files"]] for each in answer.results] == [
        ["packet-2.pdf", "packet-1.pdf"],
        [other.name],  # given twice, looked at once
    ]
    with pikepdf.open(volumes[0]) as pdf:
        assert answer.results[0]["manifest"] == str(pdf.trailer["/TrkManifest"])


def test_a_volume_alone_neither_passes_nor_fails(volumes, hand_in):
    [result] = hand_in(volumes[1]).results

    assert result["outcome"] == INCOMPLETE
    assert "第 1 册" in json.dumps(result, ensure_ascii=False)


def test_a_changed_volume_fails_even_where_another_is_missing(volumes, hand_in):
    [result] = hand_in(tampered(volumes[1], lambda pdf: redraw(pdf, 1))).results

    assert result["outcome"] == FAILED


# ---------------------------------------------------------------- a ZIP


def test_a_zip_as_the_system_delivers_it_is_verified_packet_by_packet(volumes, other, hand_in, tmp_path):
    answer = hand_in(zipped(tmp_path / "all.zip", *volumes, other))

    assert answer.refusals == []
    assert [(each["packet"], len(each["files"])) for each in answer.results] == [(NUMBER, 2), (OTHER, 1)]
    assert answer.results[0]["outcome"] == PASSED


def test_a_zip_of_another_kind_is_refused_and_the_file_beside_it_is_verified(volumes, other, hand_in, tmp_path):
    answer = hand_in(zipped(tmp_path / "packed.zip", *volumes, compression=zipfile.ZIP_DEFLATED), other)

    assert ["《packed.zip》" in str(refusal) and "请先解压" in str(refusal) for refusal in answer.refusals] == [True]
    assert [each["packet"] for each in answer.results] == [OTHER]


@pytest.mark.parametrize("name", ["readme.txt", "inner.zip", "folder/a.pdf", "..\\a.pdf", "../a.pdf"])
def test_nothing_but_pdf_files_in_no_folder_is_taken_from_a_zip(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr(name, b"%PDF-1.7")

    with pytest.raises(Invalid, match="请先解压"):
        unpacked(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [0, 201])
def test_a_zip_of_no_or_very_many_files_is_refused(count, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        for number in range(count):
            bundle.writestr(f"{number}.pdf", b"")

    with pytest.raises(Invalid, match="1 至 200 个"):
        unpacked(tmp_path / "a.zip", tmp_path / "out")


def test_members_of_a_zip_that_lie_over_each_other_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("a.pdf", b"%PDF-" + bytes(100_000))
        entry = bundle.infolist()[0]
        for number in range(5):
            again = zipfile.ZipInfo(f"{number}.pdf")
            again.file_size, again.compress_size, again.CRC = entry.file_size, entry.compress_size, entry.CRC
            again.header_offset = entry.header_offset
            bundle.filelist.append(again)

    with pytest.raises(Invalid, match="请先解压"):
        unpacked(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_zip_that_is_cut_or_changed_is_said_to_be_damaged(share, other, tmp_path):
    content = zipped(tmp_path / "a.zip", other).read_bytes()
    place = len(content) // 3
    (tmp_path / "cut.zip").write_bytes(content[: int(len(content) * share)])
    (tmp_path / "changed.zip").write_bytes(content[:place] + b"other" + content[place + 5 :])

    for name in ("cut.zip", "changed.zip"):
        with pytest.raises(Invalid, match="损坏的压缩包"):
            unpacked(tmp_path / name, tmp_path / name.partition(".")[0])


@pytest.mark.parametrize(
    ("raw", "name"),
    [("督查卷.pdf", "督查卷.pdf"), ("../../etc/a.pdf", "a.pdf"), ("C:\\x\\a.pdf", "a.pdf"), ("..", "packet.pdf")],
)
def test_the_name_of_a_file_is_fit_for_a_disk(raw, name):
    assert name_on_disk(raw) == name
    assert len(name_on_disk("卷" * 500).encode()) < 255


# ---------------------------------------------------------------- signatures


def test_a_signature_under_a_trusted_root_passes_and_the_first_line_says_so(signed, roots):
    result = verify([signed], trusted=roots, now=NOW)

    assert (of(result).outcome, result.passed) == (PASSED, True)
    assert "由“清河市档案局（测试）”签名，签名有效" in str(result.headline)


def test_without_roots_nobody_vouches_for_the_certificate_of_a_forger(signed, organ):
    result = verify([signed], trusted=None, now=NOW)

    assert of(result).outcome == NOT_CHECKED
    assert "签名之后没有改动" in said(of(result))
    assert "没有人说明“清河市档案局（测试）”的证书" in said(of(result))
    assert "不能防伪造" in str(result.headline)
    assert "签名有效" not in str(result.headline)


def test_without_roots_a_broken_signature_still_fails(signed, tmp_path):
    content = bytearray(signed.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.pdf").write_bytes(content)

    result = verify([tmp_path / "changed.pdf"], trusted=None, now=NOW)

    assert of(result).outcome == FAILED


def test_a_certificate_that_the_roots_do_not_know_or_no_longer_fails(signed, roots, authority, tmp_path):
    stranger = pem_of(Authority(NOW, "另一家根证书"), tmp_path / "stranger.pem")

    for trusted, then in ((stranger, NOW), (roots, NOW + timedelta(days=400)), (roots, NOW - timedelta(days=30))):
        result = verify([signed], trusted=trusted, now=then)
        assert (of(result).outcome, result.passed) == (FAILED, False), then


def test_a_packet_saved_anew_is_told_and_not_measured(signed, roots, tmp_path):
    with pikepdf.open(signed) as pdf:
        pdf.save(tmp_path / "saved.pdf")

    check = of(verify([tmp_path / "saved.pdf"], trusted=roots, now=NOW))

    assert check.outcome == FAILED
    assert "文件被重新保存或改写" in said(check)


def test_a_signature_that_cannot_be_read_is_not_said_to_be_none(signed, tmp_path):
    path = out_of_order(signed, tmp_path / "revised.pdf")

    check = of(verify([path], trusted=None, now=NOW))

    assert check.outcome == FAILED
    assert "revised.pdf 的电子签名无法读取" in said(check)


def out_of_order(path: Path, target: Path) -> Path:
    """The file with a revision behind it whose cross-reference stream names its objects in falling order."""
    content = path.read_bytes()
    with pikepdf.open(path) as pdf:
        root, size = pdf.Root.objgen[0], int(pdf.trailer.Size)
    last = int(content.rsplit(b"startxref", 1)[1].split()[0])
    added = len(content)
    one = b"%d 0 obj\n(one)\nendobj\n" % (size + 1)
    two = b"%d 0 obj\n(two)\nendobj\n" % size
    table = added + len(one) + len(two)
    rows = b"".join(b"\1" + at.to_bytes(4, "big") + b"\0" for at in (added, added + len(one), table))
    head = b"%d 0 obj\n<</Type/XRef/Size %d/W[1 4 1]/Index[%d 1 %d 1 %d 1]/Root %d 0 R/Prev %d/Length %d>>\nstream\n"
    head %= (size + 2, size + 3, size + 1, size, size + 2, root, last, len(rows))
    tail = b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % table
    target.write_bytes(content + one + two + head + rows + tail)
    return target


def test_volumes_that_are_signed_in_part_fail(volumes, organ, tmp_path):
    first = signed_by(organ, volumes[0], tmp_path / "signed-1.pdf")

    check = of(verify([first, volumes[1]], trusted=None, now=NOW))

    assert check.outcome == FAILED
    assert "packet-2.pdf 没有电子签名" in said(check)


def test_an_unsigned_packet_and_one_that_cannot_be_read_are_not_checked(alone, tmp_path):
    (tmp_path / "odd.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (tmp_path / "empty.pdf").write_bytes(b"")

    assert "没有电子签名" in said(of(verify([alone], trusted=None, now=NOW)))
    for name in ("odd.pdf", "empty.pdf"):
        assert "文件读不出来" in said(of(verify([tmp_path / name], trusted=None, now=NOW)))


# ---------------------------------------------------------------- the child


def test_roots_that_cannot_be_read_are_a_matter_of_the_log(other, hand_in, tmp_path, caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(Invalid, match="TRACKER_TRUSTED_CERTIFICATES") as refused:
        hand_in(other, trusted=tmp_path / "gone.pem")

    assert str(tmp_path) not in str(refused.value)
    assert str(tmp_path / "gone.pem") in caplog.text


def test_a_child_that_takes_too_long_or_says_too_much_is_given_up(other, hand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(packet_verification, "WALL_SECONDS", 0.1)
    with pytest.raises(Invalid, match="没有核验完"):
        hand_in(other)


def test_the_answer_of_the_child_is_limited(other, tmp_path, monkeypatch):
    program = (
        "import sys; from tracker.tasks import packet_verification as child; child.LARGEST_ANSWER = 1000;"
        "child.main(sys.argv[1:])"
    )
    (tmp_path / "python").write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "{program}" "$@"\n')
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "found").mkdir()

    with pytest.raises(Invalid, match="没有核验完"):
        verify_in_process([other], folder=tmp_path / "found", trusted=None, language="zh")
    assert (tmp_path / "found" / "answer").stat().st_size <= 1000
