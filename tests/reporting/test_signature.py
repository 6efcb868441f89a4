"""Signed files as others meet them: what the signature proves, what breaks it, what the authorities do to it."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner, PdfTimeStamper

from tests.authorities import PASSPHRASE, Authority, Key, Service, serve, usage_of
from tests.reporting.printed import Printed
from tests.verapdf import validate
from tracker.domain.errors import Conflict
from tracker.reporting import signature
from tracker.reporting.demo_keys import ORGAN, make_demo_authority
from tracker.reporting.signature import CannotSign, Signed, Signer, load_certificates, load_signer, sign
from tracker.reporting.signature_check import SignatureCheck, Trust, check_signature

NOW = datetime.now(UTC).replace(microsecond=0)  # lists of revoked certificates are asked for by the clock
NOWHERE = "http://127.0.0.1:9/nothing"
KEYS: dict[str, Callable[[], Key]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(NOW)


@pytest.fixture(scope="module")
def service(authority: Authority) -> Iterator[Service]:
    with serve(authority) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signature")


@pytest.fixture(scope="module")
def packet(folder: Path) -> Path:
    """A file as the assembler writes it: object streams, an xref stream, keys of ours in the trailer."""
    path = folder / "packet.pdf"
    with pikepdf.new() as pdf:
        for _ in range(3):
            pdf.add_blank_page(page_size=(595, 842))
        pdf.trailer["/TrkPacket"] = pikepdf.String("QH-2026-001")
        pdf.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return path


@pytest.fixture(scope="module")
def organ(authority: Authority, folder: Path) -> Signer:
    return load_signer(authority.organ(folder / "organ.p12"), PASSPHRASE, now=NOW)


def signed_by(signer: Signer, source: Path, target: Path, *, stamps: str | None = None, now: datetime = NOW) -> Signed:
    return sign(
        source, target, signer=signer, reason="督查卷", organization="清河市档案局", timestamp_url=stamps, now=now
    )


@pytest.fixture(scope="module")
def signed(organ: Signer, packet: Path, folder: Path) -> Path:
    """The packet, signed without any authority."""
    signed_by(organ, packet, folder / "signed.pdf")
    return folder / "signed.pdf"


@pytest.fixture(scope="module")
def stamped(authority: Authority, service: Service, packet: Path, folder: Path) -> Path:
    """The packet, signed with a time stamp and revocation information."""
    signer = load_signer(authority.organ(folder / "listed.p12", crl=service.crl), PASSPHRASE, now=NOW)
    assert signed_by(signer, packet, folder / "stamped.pdf", stamps=service.stamps).level == "B-LT"
    return folder / "stamped.pdf"


@pytest.fixture
def check(authority: Authority) -> Callable[..., SignatureCheck]:
    def ask(path: Path, *, now: datetime = NOW) -> SignatureCheck:
        return check_signature(path, trusted=[authority.root], now=now)

    return ask


def sentences(check: SignatureCheck) -> str:
    return "\n".join(each.message % dict(each.values) for each in check.findings)


def grades(check: SignatureCheck) -> set[str]:
    return {each.grade for each in check.findings}


# ---- signing and checking ----


def test_a_signed_packet_is_intact_and_by_a_trusted_organ(signed, check):
    found = check(signed)
    assert (found.is_intact, found.is_trusted, found.later_bytes) == (True, True, 0)
    (one,) = found.signatures
    assert (one.certificate.name, one.reason, one.organization) == ("清河市档案局（测试）", "督查卷", "清河市档案局")
    assert (one.claimed_at, one.time_stamp, one.covers_entire_file) == (NOW, None, True)
    assert "整个文件由“清河市档案局（测试）”的证书签署" in sentences(found)
    assert "bad" not in grades(found)


def test_the_packet_stays_an_unchanged_beginning_of_the_signed_file(signed, packet):
    assert signed.read_bytes().startswith(packet.read_bytes())


def _bytes_of(thing: pikepdf.Object) -> bytes:
    return bytes(thing.unparse(resolved=True))


def test_signing_adds_a_field_and_changes_no_other_object_but_the_first_page_and_the_catalogue(signed, packet):
    with pikepdf.open(packet) as before, pikepdf.open(signed) as after:
        changed = {
            after.get_object(each.objgen).get("/Type")
            for each in before.objects
            if each.is_indirect and _bytes_of(each) != _bytes_of(after.get_object(each.objgen))
        }
        assert changed == {"/Catalog", "/Page"}
        assert str(after.trailer["/TrkPacket"]) == "QH-2026-001"
        (field,) = after.Root.AcroForm.Fields
        assert [float(each) for each in field.Rect] == [-9999] * 4


@pytest.mark.parametrize("key", KEYS)
def test_poppler_and_qpdf_agree(key, authority, packet, tmp_path, check):
    signer = load_signer(authority.organ(tmp_path / "key.p12", key=KEYS[key]()), PASSPHRASE, now=NOW)
    assert signed_by(signer, packet, tmp_path / "signed.pdf").level == "B-B"
    assert check(tmp_path / "signed.pdf").is_trusted
    told = subprocess.run(["pdfsig", "-nocert", tmp_path / "signed.pdf"], capture_output=True, text=True, check=True)
    assert "Signature is Valid" in told.stdout
    assert "Total document signed" in told.stdout
    subprocess.run(["qpdf", "--check", tmp_path / "signed.pdf"], capture_output=True, check=True)


def test_a_signed_report_is_still_pdf_a(ordinary: Printed, authority, service, tmp_path):
    signer = load_signer(authority.organ(tmp_path / "key.p12", crl=service.crl), PASSPHRASE, now=NOW)
    signed_by(signer, ordinary.path, tmp_path / "signed.pdf", stamps=service.stamps)
    assert validate(tmp_path / "signed.pdf", "3a") == []


def test_without_roots_the_check_claims_no_more_than_it_can(signed):
    found = check_signature(signed, trusted=None, now=NOW)
    assert (found.is_intact, found.is_trusted, found.signatures[0].trust) == (True, False, Trust.NO_ROOTS)
    assert "没有人说明“清河市档案局（测试）”的证书" in sentences(found)
    assert found.signatures[0].certificate.sha256 in sentences(found)


def test_a_certificate_under_another_root_is_a_stranger(signed):
    found = check_signature(signed, trusted=[Authority(NOW, "另一家根证书").root, Authority(NOW).root], now=NOW)
    assert (found.is_intact, found.is_trusted, found.signatures[0].trust) == (True, False, Trust.STRANGER)
    assert "bad" in grades(found)


def test_an_unsigned_packet_is_said_to_be_unsigned(packet, check):
    found = check(packet)
    assert (found.is_readable, found.signatures, found.is_intact) == (True, (), False)
    assert "文件没有签名" in sentences(found)


def test_a_signed_file_is_not_signed_again(signed, organ, tmp_path):
    with pytest.raises(CannotSign, match="已经签过名"):
        signed_by(organ, signed, tmp_path / "again.pdf")
    assert list(tmp_path.iterdir()) == []


# ---- keys ----


def test_a_missing_key_file_is_named(tmp_path):
    with pytest.raises(CannotSign, match=r"gone\.p12.*TRACKER_SIGNING_KEY"):
        load_signer(tmp_path / "gone.p12", PASSPHRASE, now=NOW)


@pytest.mark.parametrize("passphrase", ["wrong", ""])
def test_a_wrong_passphrase_says_where_to_set_it(passphrase, authority, tmp_path):
    with pytest.raises(CannotSign, match=r"口令不对.*TRACKER_SIGNING_PASSPHRASE"):
        load_signer(authority.organ(tmp_path / "key.p12"), passphrase, now=NOW)


def test_a_file_that_is_no_key_is_refused(tmp_path):
    (tmp_path / "key.p12").write_bytes(b"not a key")
    with pytest.raises(CannotSign, match="完好的 PKCS#12"):
        load_signer(tmp_path / "key.p12", PASSPHRASE, now=NOW)


def test_a_file_with_certificates_only_is_refused(authority, tmp_path):
    content = pkcs12.serialize_key_and_certificates(None, None, None, [authority.root], NoEncryption())
    (tmp_path / "key.p12").write_bytes(content)
    with pytest.raises(CannotSign, match="没有私钥"):
        load_signer(tmp_path / "key.p12", "", now=NOW)


def test_a_key_of_another_kind_is_refused(authority, tmp_path):
    path = authority.organ(tmp_path / "key.p12", key=ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(CannotSign, match="RSA 或 ECDSA"):
        load_signer(path, PASSPHRASE, now=NOW)


@pytest.mark.parametrize(("days", "said"), [(-3, "起才有效"), (400, "到期")])
def test_a_certificate_outside_its_time_does_not_sign(days, said, organ, authority, packet, tmp_path):
    then = NOW + timedelta(days=days)
    with pytest.raises(CannotSign, match=said):
        load_signer(authority.organ(tmp_path / "key.p12"), PASSPHRASE, now=then)
    with pytest.raises(CannotSign, match=said):
        signed_by(organ, packet, tmp_path / "signed.pdf", now=then)


def test_a_key_that_is_not_for_signing_is_refused(authority, tmp_path):
    path = authority.organ(tmp_path / "key.p12", usage=usage_of("key_encipherment"))
    with pytest.raises(CannotSign, match="密钥用途"):
        load_signer(path, PASSPHRASE, now=NOW)


# ---- authorities ----


def test_a_time_stamp_and_revocation_information_lie_in_one_revision_with_the_signature(stamped, check):
    found = check(stamped)
    assert found.is_trusted
    assert found.has_revocation_information
    assert found.revisions == 2
    stamp = found.signatures[0].time_stamp
    assert (stamp.at, stamp.is_intact, stamp.trust) == (NOW, True, Trust.TRUSTED)
    assert "“测试时间戳服务”的时间戳证明" in sentences(found)


def test_a_time_stamp_keeps_a_signature_valid_after_its_certificate_has_expired(
    authority, service, packet, tmp_path, check
):
    signer = load_signer(authority.organ(tmp_path / "key.p12", days=30), PASSPHRASE, now=NOW)
    signed_by(signer, packet, tmp_path / "stamped.pdf", stamps=service.stamps)
    signed_by(signer, packet, tmp_path / "bare.pdf")
    later = NOW + timedelta(days=100)
    assert check(tmp_path / "stamped.pdf", now=later).is_trusted  # and the lists of then are long out of date
    found = check(tmp_path / "bare.pdf", now=later)
    assert (found.is_intact, found.signatures[0].trust) == (True, Trust.EXPIRED)
    assert "bad" in grades(found)
    assert "没有可信的时间戳证明签名在到期之前" in sentences(found)
    assert check(tmp_path / "bare.pdf", now=NOW - timedelta(days=9)).signatures[0].trust is Trust.NOT_YET_VALID


def test_revocation_information_is_taken_from_a_responder_too(authority, service, packet, tmp_path, check):
    path = authority.organ(tmp_path / "key.p12", responder=service.responder)
    made = signed_by(load_signer(path, PASSPHRASE, now=NOW), packet, tmp_path / "signed.pdf", stamps=service.stamps)
    assert (made.level, made.revocation, made.stamped_at) == ("B-LT", "complete", NOW)
    assert check(tmp_path / "signed.pdf").has_revocation_information


def test_a_stamp_of_a_stranger_without_a_list_leaves_the_level_at_b_t(authority, service, packet, tmp_path, check):
    signer = load_signer(authority.organ(tmp_path / "key.p12", crl=service.crl), PASSPHRASE, now=NOW)
    with serve(Authority(NOW, "另一家根证书"), stamps_are_revocable=False) as other:
        made = signed_by(signer, packet, tmp_path / "signed.pdf", stamps=other.stamps)
    assert (made.level, made.revocation) == ("B-T", "partial")
    found = check(tmp_path / "signed.pdf")
    assert (found.is_trusted, found.signatures[0].time_stamp.trust) == (True, Trust.STRANGER)
    assert "不能确认这家机构可信" in sentences(found)


def test_an_address_of_revoked_certificates_that_does_not_answer_is_told_and_no_error(authority, packet, tmp_path):
    signer = load_signer(authority.organ(tmp_path / "key.p12", crl=NOWHERE), PASSPHRASE, now=NOW)
    made = signed_by(signer, packet, tmp_path / "signed.pdf")
    assert (made.level, made.revocation) == ("B-B", "none")


def test_a_revoked_certificate_does_not_sign(packet, tmp_path):
    strict = Authority(NOW)
    with serve(strict) as running:
        path = strict.organ(tmp_path / "key.p12", crl=running.crl)
        signer = load_signer(path, PASSPHRASE, now=NOW)
        strict.revoked.append(signer.certificate.serial_number)
        with pytest.raises(CannotSign, match="已被吊销"):
            signed_by(signer, packet, tmp_path / "signed.pdf")


def test_an_authority_that_is_not_there_is_named_and_nothing_is_written(organ, packet, tmp_path):
    with pytest.raises(CannotSign, match=r"127\.0\.0\.1:9.*TRACKER_TIMESTAMP_URL"):
        signed_by(organ, packet, tmp_path / "signed.pdf", stamps=NOWHERE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", ["html", "nothing", "ocsp"])
def test_an_answer_that_is_no_time_stamp_is_refused(page, organ, service, packet, tmp_path):
    with pytest.raises(CannotSign, match="没有给出可用的时间戳"):
        signed_by(organ, packet, tmp_path / "signed.pdf", stamps=f"{service.base}/{page}")


def test_an_authority_that_takes_too_long_is_given_up(organ, packet, tmp_path, monkeypatch):
    monkeypatch.setattr(signature, "WAIT", 0.3)
    with serve(Authority(NOW), delay=1.0) as slow:
        began = time.monotonic()
        with pytest.raises(CannotSign, match="稍后再签名"):
            signed_by(organ, packet, tmp_path / "signed.pdf", stamps=slow.stamps)
        assert time.monotonic() - began < 0.9


# ---- changes ----


@pytest.mark.parametrize("name", ["signed", "stamped"])
def test_one_flipped_bit_anywhere_is_noticed(name, request, tmp_path, check):
    content = request.getfixturevalue(name).read_bytes()
    chance = random.Random(20260501)
    places = [chance.randrange(len(content)) for _ in range(40)]
    start = content.rindex(b"/Contents <") + len(b"/Contents <")
    end = content.index(b">", start)
    places += [chance.randrange(start, end) for _ in range(40)]  # where no signature looks: its own digits
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        (tmp_path / "changed.pdf").write_bytes(changed)
        found = check(tmp_path / "changed.pdf")
        assert not found.is_intact, (place, sentences(found))


def test_every_digit_of_the_padding_is_looked_at(signed, tmp_path, check):
    content = bytearray(signed.read_bytes())
    content[content.rindex(b"0>") - 10] = ord("1")
    (tmp_path / "changed.pdf").write_bytes(content)
    assert not check(tmp_path / "changed.pdf").is_intact


@pytest.mark.parametrize("added", [b"\n", b"% a remark\n", b"%%EOF\n"])
def test_bytes_behind_the_signature_are_told(added, signed, tmp_path, check):
    (tmp_path / "longer.pdf").write_bytes(signed.read_bytes() + added)
    found = check(tmp_path / "longer.pdf")
    assert not found.is_intact
    assert "bad" in grades(found)


def test_a_page_changed_by_a_later_revision_is_told(signed, tmp_path, check):
    path = tmp_path / "changed.pdf"
    path.write_bytes(signed.read_bytes())
    with path.open("r+b") as file:
        writer = IncrementalPdfFileWriter(file)
        reference, _ = writer.find_page_for_modification(1)
        reference.get_object()["/Rotate"] = generic.NumberObject(90)
        writer.mark_update(reference)
        writer.write_in_place()
    found = check(path)
    (one,) = found.signatures
    assert (one.is_intact, one.covers_entire_file, found.is_intact) == (True, False, False)
    assert found.later_bytes == path.stat().st_size - signed.stat().st_size
    assert f"又增加了 {found.later_bytes} 字节" in sentences(found)


def test_a_second_signature_by_a_stranger_takes_the_trust_away(signed, tmp_path, check):
    stranger = Authority(NOW, "另一家根证书")
    signer = load_signer(stranger.organ(tmp_path / "key.p12", name="别处（测试）"), PASSPHRASE, now=NOW)
    path = tmp_path / "twice.pdf"
    path.write_bytes(signed.read_bytes())
    with path.open("r+b") as file:
        metadata = PdfSignatureMetadata(field_name="Signature2", subfilter=SigSeedSubFilter.PADES)
        PdfSigner(metadata, signer.inner).sign_pdf(IncrementalPdfFileWriter(file), in_place=True)
    found = check(path)
    assert [each.trust for each in found.signatures] == [Trust.TRUSTED, Trust.STRANGER]
    assert [each.covers_entire_file for each in found.signatures] == [False, True]
    assert (found.is_intact, found.is_trusted) == (True, False)
    assert "之后又有增加，由后面的签名签署" in sentences(found)


def test_a_time_stamp_over_the_whole_document_counts_as_a_signature(signed, service, tmp_path, check):
    path = tmp_path / "sealed.pdf"
    path.write_bytes(signed.read_bytes())
    with path.open("r+b") as file:
        PdfTimeStamper(service.stamper).timestamp_pdf(IncrementalPdfFileWriter(file), "sha256", None, in_place=True)
    found = check(path)
    assert [each.certificate.name for each in found.signatures] == ["清河市档案局（测试）", "测试时间戳服务"]
    assert found.is_intact


def test_a_file_saved_anew_is_not_intact(signed, tmp_path, check):
    with pikepdf.open(signed) as pdf:
        pdf.save(tmp_path / "saved.pdf")
    found = check(tmp_path / "saved.pdf")
    assert (found.is_intact, found.later_bytes) == (False, 0)
    assert "文件被重新保存或改写" in sentences(found)
    assert "又增加了" not in sentences(found)


def test_a_range_that_leaves_out_more_than_the_signature_is_refused(signed, tmp_path, check):
    content = signed.read_bytes()
    before, _, rest = content.rpartition(b"/ByteRange [")
    numbers, _, rest = rest.partition(b"]")
    start, first, second, length = map(int, numbers.split())
    wider = f"{start} {first - 9} {second} {length + 9}".encode().ljust(len(numbers))
    (tmp_path / "changed.pdf").write_bytes(before + b"/ByteRange [" + wider + b"]" + rest)
    assert not check(tmp_path / "changed.pdf").is_intact


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"\0" * 5000, b"<html>", b"%PDF-1.7\nstartxref\n9\n%%EOF"])
def test_what_is_no_pdf_is_an_answer_and_no_error(content, tmp_path, check):
    (tmp_path / "odd.pdf").write_bytes(content)
    found = check(tmp_path / "odd.pdf")
    assert (found.is_readable, found.is_intact) == (False, False)
    assert "读不出来" in sentences(found)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95, 0.999])
def test_a_cut_file_is_an_answer_and_no_error(share, signed, tmp_path, check):
    content = signed.read_bytes()
    (tmp_path / "cut.pdf").write_bytes(content[: int(len(content) * share)])
    assert not check(tmp_path / "cut.pdf").is_intact


# ---- the demonstration ----


def test_the_demo_authority_signs_and_says_that_it_is_one(packet, tmp_path):
    made = make_demo_authority(tmp_path / "keys", now=NOW)
    signer = load_signer(made.key, made.passphrase.read_text().strip(), now=NOW)
    signed_by(signer, packet, tmp_path / "signed.pdf")
    found = check_signature(tmp_path / "signed.pdf", trusted=load_certificates(made.root), now=NOW)
    assert found.is_trusted
    assert found.signatures[0].certificate.name == ORGAN
    assert "演示" in found.signatures[0].certificate.issuer
    assert [path.stat().st_mode & 0o777 for path in (made.key, made.passphrase)] == [0o600, 0o600]


def test_the_demo_authority_overwrites_nothing(tmp_path):
    made = make_demo_authority(tmp_path, now=NOW)
    kept = made.key.read_bytes()
    made.passphrase.unlink()
    with pytest.raises(Conflict, match="没有覆盖"):
        make_demo_authority(tmp_path, now=NOW)
    assert made.key.read_bytes() == kept


def test_a_file_without_certificates_is_named(tmp_path):
    (tmp_path / "roots.pem").write_text("nothing here")
    with pytest.raises(CannotSign, match=r"roots\.pem.*PEM"):
        load_certificates(tmp_path / "roots.pem")
    with pytest.raises(CannotSign, match=r"gone\.pem"):
        load_certificates(tmp_path / "gone.pem")


def test_a_certificate_of_a_root_is_not_a_certificate_for_documents(authority: Authority, packet, tmp_path):
    assert isinstance(authority.root, x509.Certificate)
    path = authority.pkcs12(tmp_path / "root.p12", authority.key, authority.root)
    with pytest.raises(CannotSign, match="密钥用途"):
        load_signer(path, PASSPHRASE, now=NOW)
