"""Says of any PDF what its signatures prove: every byte, by whose certificate, when; asks nobody and never raises."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Literal

from cryptography import x509
from pyhanko.keys.internal import translate_pyca_cryptography_cert_to_asn1
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import byte_range_digest
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.generic_cms import (
    cms_basic_validation,
    extract_tst_data_iter,
    message_imprint_checker,
)
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    InsufficientRevinfoError,
    InvalidCertificateError,
    NotYetValidError,
    PathBuildingError,
    PathValidationError,
    RevokedError,
)

from tracker.domain.text import _n
from tracker.reporting.signature import CertificateFacts, certificate_facts, finished, stamp_status
from tracker.reporting.words import BEIJING

for _library in ("pyhanko", "pyhanko_certvalidator"):  # what they complain of is a finding, not a line on a terminal
    logging.getLogger(_library).addHandler(logging.NullHandler())

_PIECE = 1024**2
_NULL = b"\x05\0"  # in DER
_MOST_IN_GAP = 4 * 1024**2  # hexadecimal digits that a signature may take


class Trust(StrEnum):
    """What the given roots say of a certificate."""

    TRUSTED = "trusted"
    NO_ROOTS = "no_roots"  # nothing to compare with
    STRANGER = "stranger"  # no chain to a given root, or a broken one
    EXPIRED = "expired"  # its chain was right when it was used, as far as that time is known
    NOT_YET_VALID = "not_yet_valid"
    REVOKED = "revoked"
    NOT_FOR_SIGNING = "not_for_signing"


@dataclass(frozen=True)
class TimeStamp:
    """A time stamp: when, by whom, whether it fits the signature, and what the roots say of its certificate."""

    at: datetime
    certificate: CertificateFacts
    is_intact: bool
    trust: Trust


@dataclass(frozen=True)
class FoundSignature:
    """One signature of a file: by whom, over which bytes (from 0 to `covered`), and what it is worth.

    `is_intact` says that the signed bytes are as they were and that nothing but the signature itself is left out.
    """

    field: str
    certificate: CertificateFacts
    is_intact: bool
    covered: int
    covers_entire_file: bool
    claimed_at: datetime | None
    time_stamp: TimeStamp | None
    trust: Trust
    reason: str | None
    organization: str | None

    @property
    def has_sound_stamp(self) -> bool:
        """Whether the time stamp fits the signature; true where there is none."""
        return self.time_stamp is None or self.time_stamp.is_intact


@dataclass(frozen=True)
class Finding:
    """A sentence about the signatures: a gettext key with named places, as in `RuleError`, and how grave it is."""

    grade: Literal["good", "note", "bad"]
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SignatureCheck:
    """What the signatures of a file prove. `later_bytes` stand behind what is signed; `revisions` count from 1."""

    is_readable: bool
    signatures: tuple[FoundSignature, ...] = ()
    later_bytes: int = 0
    revisions: int = 1
    has_revocation_information: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def is_intact(self) -> bool:
        """Whether every byte of the file is as it was signed."""
        return (
            self.is_readable
            and bool(self.signatures)
            and all(each.is_intact and each.has_sound_stamp for each in self.signatures)
            and self.signatures[-1].covers_entire_file
        )

    @property
    def is_trusted(self) -> bool:
        """Whether every byte is as it was signed, and every signature is by a certificate under the given roots."""
        return self.is_intact and all(each.trust is Trust.TRUSTED for each in self.signatures)


def check_signature(path: Path, *, trusted: Sequence[x509.Certificate] | None, now: datetime) -> SignatureCheck:
    """Say what the signatures of the file at `path` prove under the roots `trusted`; asks no network.

    Never raises for what stands in the file: one that cannot be read has `is_readable` false.
    """
    try:
        with path.open("rb") as file:
            check = finished(_check(file, list(trusted or ()), now))
    except Exception:  # noqa: BLE001  a hostile file may break the reader anywhere; that is an answer, not a fault
        check = SignatureCheck(is_readable=False)
    return replace(check, findings=tuple(_findings(check)))


async def _check(file: IO[bytes], roots: list[x509.Certificate], now: datetime) -> SignatureCheck:
    reader = PdfFileReader(file)
    size = file.seek(0, os.SEEK_END)
    judge = _Judge(roots, now, _embedded_information(reader))
    found = tuple([await _examine(each, file, size, judge) for each in reader.embedded_signatures])
    return SignatureCheck(
        is_readable=True,
        signatures=found,
        later_bytes=size - covered if (covered := max((each.covered for each in found), default=0)) else 0,
        revisions=reader.xrefs.total_revisions,
        has_revocation_information=bool(judge.context.get("crls") or judge.context.get("ocsps")),
    )


def _embedded_information(reader: PdfFileReader) -> dict[str, Any]:
    """Certificates and revocation information that lie in the file, as arguments of a validation context."""
    try:
        context = DocumentSecurityStore.read_dss(reader).as_validation_context({"trust_roots": []})
    except NoDSSFoundError:
        return {}
    return {
        "crls": context.crls,
        "ocsps": context.ocsps,
        "other_certs": list(context.certificate_registry),
    }


async def _examine(embedded: EmbeddedPdfSignature, file: IO[bytes], size: int, judge: _Judge) -> FoundSignature:
    covered = _covered(embedded, file)
    status = await _status(embedded, file)
    stamp = await _time_stamp(embedded, judge)
    claimed_at = embedded.self_reported_timestamp
    used_at = stamp.at if stamp and stamp.is_intact and stamp.trust is Trust.TRUSTED else None
    certificate = embedded.signer_cert
    trust = await judge.trust(certificate, embedded.other_embedded_certs, used_at, claimed_at, _FOR_DOCUMENTS)
    return FoundSignature(
        field=embedded.field_name,
        certificate=_facts(certificate),
        is_intact=bool(status["intact"] and status["valid"] and covered and _is_regular(embedded.signed_data)),
        covered=covered,
        covers_entire_file=covered == size,
        claimed_at=claimed_at,
        time_stamp=stamp,
        trust=trust,
        reason=_text(embedded, "/Reason"),
        organization=_text(embedded, "/Name"),
    )


async def _status(embedded: EmbeddedPdfSignature, file: IO[bytes]) -> dict[str, Any]:
    """What pyHanko says of the signed bytes; a time stamp over the document is a signature of another make."""
    _, digest = byte_range_digest(file, embedded.byte_range, embedded.external_md_algorithm, chunk_size=_PIECE)
    if embedded.sig_object_type == "/DocTimeStamp":
        return await stamp_status(embedded.signed_data, lambda _: digest)
    own = ValidationContext(trust_roots=[embedded.signer_cert])  # who signed is judged apart from what was signed
    return await cms_basic_validation(embedded.signed_data, digest, own, key_usage_settings=_FOR_DOCUMENTS)


def _covered(embedded: EmbeddedPdfSignature, file: IO[bytes]) -> int:
    """Where the signed bytes end, if they begin at 0 and leave out nothing but the digits of the signature; else 0.

    Digits of mixed case, and anything but zeros behind the signature, are somebody's change where no signature looks.
    """
    if len(embedded.byte_range) != 4:
        return 0
    start, before, after, rest = (int(each) for each in embedded.byte_range)
    if start != 0 or not 2 < after - before < _MOST_IN_GAP or rest < 0:
        return 0
    file.seek(before)
    gap = file.read(after - before)
    digits, content = gap[1:-1], embedded.pkcs7_content
    if gap[:1] + gap[-1:] != b"<>" or digits not in (content.hex().encode(), content.hex().upper().encode()):
        return 0
    signature, padding = content[: _length_of(content)], content[_length_of(content) :]
    return after + rest if signature.endswith(embedded.signed_data.dump()) and not padding.strip(b"\0") else 0


def _is_regular(signed_data: Any) -> bool:  # noqa: ANN401  asn1crypto
    """Whether that part of a signature's envelope which no signature covers is as RFC 5652 wants it.

    Versions, names of algorithms and kinds of unsigned attributes can be changed without breaking the signature.
    """
    (signer,) = signed_data["signer_infos"]
    algorithms = [signer["digest_algorithm"], *signed_data["digest_algorithms"]]
    by_serial = signer["sid"].name == "issuer_and_serial_number"
    version = "v1" if by_serial and signed_data["encap_content_info"]["content_type"].native == "data" else "v3"
    return (
        signer["version"].native == ("v1" if by_serial else "v3")
        and signed_data["version"].native == version
        and len({each["algorithm"].native for each in algorithms}) == 1
        and all(each["parameters"].dump() in (b"", _NULL) for each in algorithms)
        and all(_is_known(each["type"]) for each in signer["unsigned_attrs"] or ())
        and all(len(each.contents) == sum(len(each[part].dump()) for part in each) for each in (signed_data, signer))
    )


def _is_known(kind: Any) -> bool:  # noqa: ANN401  asn1crypto
    """Whether the kind of an attribute has a name; the number of an unknown one is shown as its name."""
    return bool(kind.native != kind.dotted)


def _length_of(der: bytes) -> int:
    """The length of the first DER element: what it says in its own head."""
    first = der[1]
    if first < 0x80:
        return 2 + first
    return 2 + (first & 0x7F) + int.from_bytes(der[2 : 2 + (first & 0x7F)])


async def _time_stamp(embedded: EmbeddedPdfSignature, judge: _Judge) -> TimeStamp | None:
    for token in extract_tst_data_iter(embedded.signer_info, signed=False):
        status = await stamp_status(token, message_imprint_checker(embedded.signer_info))
        certificate = status["signing_cert"]
        others = [each.chosen for each in token["certificates"]]
        return TimeStamp(
            at=status["timestamp"],
            certificate=_facts(certificate),
            is_intact=bool(status["intact"] and status["valid"] and _is_regular(token)),
            trust=await judge.trust(certificate, others, None, status["timestamp"], _FOR_TIME),
        )
    return None


_FOR_DOCUMENTS = KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}, match_all_key_usages=False)
_FOR_TIME = KeyUsageConstraints(extd_key_usage={"time_stamping"}, explicit_extd_key_usage_required=True)


@dataclass(frozen=True)
class _Judge:
    """Roots, the time of the check, and what lies in the file about certificates."""

    roots: list[x509.Certificate]
    now: datetime
    context: dict[str, Any]

    async def trust(
        self,
        certificate: Any,  # noqa: ANN401  asn1crypto
        others: Sequence[Any],
        used_at: datetime | None,
        claimed_at: datetime | None,
        usage: KeyUsageConstraints,
    ) -> Trust:
        """Judge at the proven time of use, else now; the claimed time only tells whether it expired since."""
        if not self.roots:
            return Trust.NO_ROOTS
        try:
            usage.validate(certificate)
        except InvalidCertificateError:
            return Trust.NOT_FOR_SIGNING
        then = await self._at(claimed_at, certificate, others) if claimed_at else None
        if then is Trust.REVOKED:
            return then
        trust = await self._at(used_at or self.now, certificate, others)
        return Trust.STRANGER if trust is Trust.EXPIRED and then is not Trust.TRUSTED else trust

    async def _at(self, moment: datetime, certificate: Any, others: Sequence[Any]) -> Trust:  # noqa: ANN401
        try:
            try:
                await self._path(moment, certificate, others, self.context)
            except InsufficientRevinfoError:  # lists of then say nothing of a later moment, for or against
                await self._path(moment, certificate, others, {**self.context, "crls": (), "ocsps": ()})
        except RevokedError:
            return Trust.REVOKED
        except ExpiredError:
            return Trust.EXPIRED
        except NotYetValidError:
            return Trust.NOT_YET_VALID
        except (PathBuildingError, PathValidationError, InvalidCertificateError):
            return Trust.STRANGER
        return Trust.TRUSTED

    async def _path(self, moment: datetime, certificate: Any, others: Sequence[Any], lists: dict[str, Any]) -> None:  # noqa: ANN401
        roots = [translate_pyca_cryptography_cert_to_asn1(each) for each in self.roots]
        context = ValidationContext(trust_roots=roots, moment=moment, allow_fetching=False, **lists)
        await CertificateValidator(certificate, others, validation_context=context).async_validate_path()


def _facts(certificate: Any) -> CertificateFacts:  # noqa: ANN401  asn1crypto
    return certificate_facts(x509.load_der_x509_certificate(certificate.dump()))


def _text(embedded: EmbeddedPdfSignature, key: str) -> str | None:
    value = embedded.sig_object.get(key)
    return None if value is None else str(value)


# ---- in words ----


def _findings(check: SignatureCheck) -> Iterator[Finding]:
    if not check.is_readable:
        yield Finding("bad", _n("文件或其中的签名读不出来，可能已损坏或被改动，不能证明任何内容。"))
    elif not check.signatures:
        yield Finding("note", _n("文件没有签名：只能发现意外损坏，不能发现有人重新做了整个文件。"))
    for number, each in enumerate(check.signatures, start=1):
        yield _about_content(each, is_last=number == len(check.signatures))
        yield _about_certificate(each)
        yield _about_time(each)
    if check.later_bytes:
        yield Finding(
            "bad", _n("签名之后文件又增加了 %(size)s 字节，这些内容没有人签署。"), {"size": check.later_bytes}
        )
    if check.signatures and check.has_revocation_information:
        yield Finding("good", _n("文件中带有签名时的证书吊销信息，以后不联网也能核对。"))


def _about_content(found: FoundSignature, *, is_last: bool) -> Finding:
    name = {"name": found.certificate.name}
    if not found.covered:
        return Finding("bad", _n("文件被重新保存或改写，“%(name)s”的签名已失效。"), name)
    if not found.is_intact:
        return Finding("bad", _n("“%(name)s”的签名与文件不符：签名之后内容有改动。"), name)
    if not found.covers_entire_file and not is_last:
        return Finding("note", _n("“%(name)s”签署的内容没有改动；之后又有增加，由后面的签名签署。"), name)
    if not found.covers_entire_file:
        return Finding("note", _n("“%(name)s”签署的内容没有改动，但签名没有覆盖整个文件。"), name)
    return Finding("good", _n("整个文件由“%(name)s”的证书签署，签名之后没有改动。"), name)


_ABOUT_TRUST: dict[Trust, tuple[Literal["good", "note", "bad"], str]] = {
    Trust.TRUSTED: ("good", _n("“%(name)s”的证书出自可信的根证书。")),
    Trust.NO_ROOTS: (
        "note",
        _n("未提供可信根证书：没有人说明“%(name)s”的证书（SHA-256 指纹 %(fingerprint)s）是否可信。"),
    ),
    Trust.STRANGER: ("bad", _n("“%(name)s”的证书不是出自所给的可信根证书，不能说明证书属于谁。")),
    Trust.EXPIRED: ("bad", _n("“%(name)s”的证书已于 %(until)s 到期，没有可信的时间戳证明签名在到期之前。")),
    Trust.NOT_YET_VALID: ("bad", _n("“%(name)s”的证书从 %(since)s 起才有效，签名时还不能用。")),
    Trust.REVOKED: ("bad", _n("“%(name)s”的证书已被吊销。")),
    Trust.NOT_FOR_SIGNING: ("bad", _n("“%(name)s”的证书不是用来签署文件的。")),
}


def _about_certificate(found: FoundSignature) -> Finding:
    grade, message = _ABOUT_TRUST[found.trust]
    certificate = found.certificate
    values = {
        "name": certificate.name,
        "since": _day(certificate.valid_from),
        "until": _day(certificate.valid_until),
        "fingerprint": certificate.sha256,
    }
    return Finding(grade, message, values)


def _about_time(found: FoundSignature) -> Finding:
    stamp = found.time_stamp
    if stamp is None:
        at = found.claimed_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M") if found.claimed_at else "—"
        return Finding("note", _n("没有时间戳：签名时间 %(at)s 是签名一方自己写的。"), {"at": at})
    values = {"name": stamp.certificate.name, "at": stamp.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")}
    if not stamp.is_intact:
        return Finding("bad", _n("时间戳与签名不符，不能证明签名时间。"))
    if stamp.trust is Trust.TRUSTED:
        return Finding("good", _n("“%(name)s”的时间戳证明签名不晚于 %(at)s。"), values)
    return Finding("note", _n("时间戳写明 %(at)s，出自“%(name)s”，但不能确认这家机构可信。"), values)


def _day(moment: datetime) -> str:
    return moment.astimezone(BEIJING).date().isoformat()
